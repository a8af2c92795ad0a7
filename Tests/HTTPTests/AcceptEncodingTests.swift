import HTTP
import TestSupport
import XCTest

final class AcceptEncodingTests: XCTestCase {
    private func choice(_ values: [String]) -> String? {
        var headers = HTTPHeaders()
        for value in values { headers.append(name: "Accept-Encoding", value: value) }
        return AcceptEncoding.choice(of: ["zstd", "gzip"], in: headers)
    }

    func testTheBestCodingThatIsNamedIsChosen() {
        let rows: [([String], String?)] = [
            ([], nil), ([""], nil), ([","], nil), (["identity"], nil), (["*"], nil),
            (["br, deflate"], nil), (["application/protobuf"], nil), (["zstd"], "zstd"),
            (["gzip"], "gzip"), (["GZip"], "gzip"), (["x-gzip"], "gzip"),
            (["gzip, zstd"], "zstd"), (["gzip", "zstd"], "zstd"),
            (["zstd;q=0.5,gzip"], "gzip"), (["zstd;q=0.5 , gzip ; q=0.5"], "zstd"),
            (["gzip;q=0.001"], "gzip"), (["gzip;q=0"], nil), (["gzip;q=0.000"], nil),
            (["gzip;q=1.000"], "gzip"), (["gzip;q=1."], "gzip"), (["identity;q=0"], nil),
            (["identity;q=0, gzip;q=0.2"], "gzip"), (["identity, gzip;q=0.9"], nil),
            (["identity;q=0.5, gzip;q=0.5"], "gzip"), (["*;q=0, zstd"], "zstd"),
        ]
        for (values, coding) in rows { XCTAssertEqual(choice(values), coding, "\(values)") }
    }

    func testWhatIsNotWellFormedIsLeftOut() {
        for value in [
            "zstd;q=2", "zstd;q=1.001", "zstd;q=", "zstd;q=.5", "zstd;q=-1", "zstd;q=0.1234",
            "zstd;q=0,5", "zstd;level=1", "zstd;q=1;x=2", "zs td", "zstd;q=1e0", "\"zstd\"",
            "zstd;q=0.5x", ";q=1", "zstd;;q=1",
        ] {
            XCTAssertNotEqual(choice([value]), "zstd", value)
            XCTAssertEqual(choice(["\(value), gzip;q=0.1"]), "gzip", value)
        }
    }

    func testAnyBytesAreTaken() {
        var generator = SeededGenerator.announced(for: "accept-encoding")
        let valid = Array("gzip;q=0.5, zstd;q=0.25, *;q=0".utf8)
        for _ in 0..<2000 {
            let value = String(decoding: generator.mutate(valid), as: UTF8.self)
            XCTAssertTrue([nil, "zstd", "gzip"].contains(choice([value])))
        }
    }
}
