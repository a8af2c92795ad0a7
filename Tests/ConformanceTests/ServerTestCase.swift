import Foundation
import SQLite
import Synchronization
import XCTest

/// Tests against one running server, which all tests of the class share; each test makes the
/// databases that it uses. When the server has ended, every database is checked.
class ServerTestCase: XCTestCase {
    /// Options of `serve` for the tests of this class.
    class var serverArguments: [String] { [] }

    private static let servers = Mutex<[ObjectIdentifier: RunningServer]>([:])

    var server: RunningServer!

    override func setUpWithError() throws {
        let key = ObjectIdentifier(Self.self)
        let arguments = Self.serverArguments
        server = try ServerTestCase.servers.withLock { servers in
            if let running = servers[key] { return running }
            let started = try RunningServer(arguments: arguments)
            servers[key] = started
            return started
        }
    }

    override class func tearDown() {
        let server = servers.withLock { $0.removeValue(forKey: ObjectIdentifier(self)) }
        guard let server else { return }
        // Outside of a test nothing can be reported, so this ends the run.
        let exitCode = server.stop()
        precondition(exitCode == 0, "\(self): exit code \(exitCode)\n\(server.log)")
        let problems = DatabaseCheck.problems(in: server.dataDirectory)
        precondition(problems.isEmpty, "\(self): \(problems)\n\(server.log)")
    }

    // MARK: databases

    /// A new database with a name of its own.
    func makeDatabase(_ statements: String...) throws -> TestDatabase {
        let name = "d\(UInt32.random(in: 0 ... .max))"
        let reply = try server.adminRequest("POST", "/v1/namespaces/\(name)/create")
        XCTAssertEqual(reply.status, 200, reply.text)
        let database = TestDatabase(server: server, name: name)
        for statement in statements { try database.sql(statement) }
        return database
    }

    // MARK: assertions

    /// An error as every client can show it: a status, and a JSON object with a text and a code
    /// and nothing that belongs to the server alone.
    func assertFailure(
        _ reply: HTTPReply, _ status: Int, _ code: String?, _ label: String = "",
        file: StaticString = #filePath, line: UInt = #line
    ) {
        XCTAssertEqual(reply.status, status, "\(label) \(reply.text)", file: file, line: line)
        XCTAssertEqual(reply["content-type"], "application/json", label, file: file, line: line)
        XCTAssertEqual(
            Set(reply.object.keys), ["error", "code"], "\(label) \(reply.text)", file: file,
            line: line)
        if let code {
            XCTAssertEqual(reply.object["code"] as? String, code, label, file: file, line: line)
        }
        let text = reply.object["error"] as? String ?? ""
        XCTAssertFalse(text.isEmpty, label, file: file, line: line)
        for secret in [server.folder.path, "main.db", ".swift", "databases/"] {
            XCTAssertFalse(reply.text.contains(secret), "\(label) \(text)", file: file, line: line)
        }
    }

    /// Asks again and again until `condition` holds, so that a test waits for an event that the
    /// server shows only in its answers.
    func wait(
        for what: String, file: StaticString = #filePath, line: UInt = #line,
        until condition: () throws -> Bool
    ) rethrows {
        let deadline = ContinuousClock.now + .seconds(20)
        while try !condition() {
            guard ContinuousClock.now < deadline else {
                return XCTFail("waited in vain: \(what)", file: file, line: line)
            }
        }
    }
}

/// Looks into the files of a server that has ended.
enum DatabaseCheck {
    static func problems(in dataDirectory: String) -> [String] {
        let folder = dataDirectory + "/databases"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { name in
            if name.hasPrefix(".") { return "left behind: \(name)" }
            do {
                let connection = try Connection(
                    path: "\(folder)/\(name)/main.db", mode: .readWrite)
                defer { connection.close() }
                let result = try connection.queryText("PRAGMA integrity_check(3)")
                return result == "ok" ? nil : "\(name): \(result ?? "nothing")"
            } catch {
                return "\(name): \(error)"
            }
        }
    }
}
