import Foundation
import Primitives
import SQLite
import Storage

/// A SQL reader in the middle of a statement, which keeps checkpoints from their end.
final class HeldReader {
    private let release = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// Returns once the statement has read its first row.
    init(_ database: Database, _ sql: String) throws {
        let started = Box<Result<Void, any Error>>()
        database.read(
            { [release, ended] connection in
                defer { ended.signal() }
                do {
                    let statement = try connection.prepare(sql)
                    _ = try statement.step()
                    started.set(.success(()))
                    release.wait()
                    while try statement.step() {}
                } catch { started.set(.failure(error)) }
            },
            refused: { [ended] error in
                started.set(.failure(error))
                ended.signal()
            })
        try started.wait().get()
    }

    func end() {
        release.signal()
        ended.wait()
    }
}
