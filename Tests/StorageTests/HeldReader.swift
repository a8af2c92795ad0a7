import Foundation
import Primitives
import SQLite
import Storage

/// A SQL reader in the middle of a statement, which keeps checkpoints from their end.
final class HeldReader {
    private let release = DispatchSemaphore(value: 0)
    private let outcome = Box<(error: (any Error)?, wasStopped: Bool)>()
    /// The storage ended it.
    private(set) var wasStopped = false

    /// Returns once the statement has read its first row.
    init(_ database: Database, _ sql: String) throws {
        let started = Box<Result<Void, any Error>>()
        database.read(
            { [release, outcome] connection -> Void? in
                do {
                    let statement = try connection.prepare(sql)
                    _ = try statement.step()
                    started.set(.success(()))
                    release.wait()
                    while try statement.step() {}
                    outcome.set((nil, connection.isStopped))
                } catch {
                    started.set(.failure(error))
                    outcome.set((error, connection.isStopped))
                }
                return nil
            },
            completion: { [outcome] result in
                guard case .failure(let error) = result else { return }
                started.set(.failure(error))
                outcome.set((error, false))
            })
        try started.wait().get()
    }

    /// Lets the statement run to its end; returns what it failed with.
    @discardableResult
    func end() -> (any Error)? {
        release.signal()
        let (error, wasStopped) = outcome.wait()
        self.wasStopped = wasStopped
        return error
    }
}
