package import Primitives

/// The right to use an open database: while one lives, the store does not close it to make room.
package final class DatabaseLease: Sendable {
    package let database: Database
    private let store: DatabaseStore

    init(database: Database, store: DatabaseStore) {
        self.database = database
        self.store = store
    }

    deinit { store.leaseEnded(database) }

    package var name: DatabaseName { database.name }
}
