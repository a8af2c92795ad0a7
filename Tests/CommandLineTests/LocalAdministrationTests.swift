import Primitives
import XCTest

@testable import CommandLineOptions
@testable import tidemark

/// The databases of a data directory that no server uses.
final class LocalAdministrationTests: XCTestCase {
    func testStatistics() throws {
        let directory = try TemporaryDirectory()
        let local = LocalAdministration(directory: directory.file("data"))
        let (notes, other) = (DatabaseName("notes")!, DatabaseName("other")!)
        try local.create(notes)
        let report = try local.statistics(notes)
        XCTAssertEqual(report.revision, try local.list().first { $0.name == "notes" }?.revision)
        XCTAssertEqual(report.pages, 1)
        XCTAssertEqual(report.mainBytes, 4096)
        XCTAssertEqual([report.bytesSent, report.bytesReceived, report.longPolls], [0, 0, 0])
        XCTAssertNil(report.generation)
        XCTAssertThrowsError(try local.statistics(other)) {
            XCTAssertEqual($0 as? AdministrationError, .noSuchDatabase(other))
        }
    }
}
