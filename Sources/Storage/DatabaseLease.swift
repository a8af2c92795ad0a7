package import Primitives

/// The right to use an open database: while one lives, the store does not close it to make room.
package final class DatabaseLease: Sendable {
    package let database: Database
    package let traffic: TrafficCounter
    private let store: DatabaseStore

    init(database: Database, traffic: TrafficCounter, store: DatabaseStore) {
        self.database = database
        self.traffic = traffic
        self.store = store
    }

    deinit { store.leaseEnded(database) }

    package var name: DatabaseName { database.name }
}
