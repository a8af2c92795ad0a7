import TestSupport
import XCTest

@testable import Codecs

/// Bodies made of pieces, and what takes them apart.
final class ContentEncoderTests: XCTestCase {
    private func body(_ coding: ContentCoding, _ pieces: [[UInt8]]) throws -> [UInt8] {
        var encoder = ContentEncoder(coding, level: 3)
        var body: [UInt8] = []
        for piece in pieces {
            let coded = try encoder.piece(of: piece)
            body += encoder.append(sourceSize: coded.sourceSize, checksum: coded.checksum)
            body += coded.bytes
        }
        return body + encoder.finish()
    }

    private func decode(
        _ coding: ContentCoding, _ chunks: [ArraySlice<UInt8>], limit: Int = 1 << 24
    ) throws -> [UInt8] {
        var output: [UInt8] = []
        switch coding {
        case .zstd:
            var decoder = try ZstdDecoder(outputLimit: limit)
            for chunk in chunks { try decoder.decode(chunk, into: &output) }
            try decoder.finish()
        case .gzip:
            var decoder = try GzipDecoder(outputLimit: limit)
            for chunk in chunks { try decoder.decode(chunk, into: &output) }
            try decoder.finish()
        }
        return output
    }

    private func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 0..<40, using: &generator) }
    }

    func testPiecesMakeOneBody() throws {
        let bodies: [[[UInt8]]] = [
            [], [[]], [noise(1)], [noise(100_000)], [noise(3), [], noise(70_000, seed: 2)],
            (0..<20).map { noise(5000, seed: $0) }, [[UInt8](repeating: 7, count: 1 << 20)],
        ]
        for coding in [ContentCoding.zstd, .gzip] {
            for pieces in bodies {
                XCTAssertEqual(
                    try decode(coding, [body(coding, pieces)[...]]), pieces.flatMap { $0 })
            }
        }
    }

    /// The same bytes twice, in other places and after other pieces.
    func testAPieceFitsAnywhere() throws {
        for coding in [ContentCoding.zstd, .gzip] {
            let pieces = try [noise(9000), noise(9000), noise(10, seed: 3)].map {
                try ContentEncoder.piece(of: $0, coding: coding, level: 6)
            }
            XCTAssertEqual(pieces[0].bytes, pieces[1].bytes, "a piece looks back at another")
            for order in [[0, 1, 2], [2, 1], [1, 1, 0, 2, 2]] {
                var encoder = ContentEncoder(coding, level: 1)
                var body: [UInt8] = []
                for index in order {
                    let piece = pieces[index]
                    body += encoder.append(
                        sourceSize: piece.sourceSize, checksum: piece.checksum)
                    body += piece.bytes
                }
                body += encoder.finish()
                let expected = order.flatMap { $0 == 2 ? noise(10, seed: 3) : noise(9000) }
                XCTAssertEqual(try decode(coding, [body[...]]), expected)
            }
        }
    }

    // MARK: gzip from others

    func testGzipIsDecodedAtEverySplit() throws {
        let original = noise(300) + noise(300)
        let member = try body(.gzip, [original])
        for split in 0...member.count {
            XCTAssertEqual(try decode(.gzip, [member[..<split], member[split...]]), original)
        }
        XCTAssertEqual(try decode(.gzip, member.indices.map { member[$0...$0] }), original)
    }

    func testMembersMayFollowEachOther() throws {
        let members = try body(.gzip, [noise(50)]) + body(.gzip, []) + body(.gzip, [noise(9)])
        XCTAssertEqual(try decode(.gzip, [members[...]]), noise(50) + noise(9))
        XCTAssertEqual(try decode(.gzip, []), [])
    }

    func testABombIsRefusedWhileItExpands() throws {
        let zeros = [UInt8](repeating: 0, count: 64 << 20)
        for coding in [ContentCoding.zstd, .gzip] {
            let bomb = try body(coding, [zeros])
            XCTAssertLessThan(bomb.count, 400_000)
            var output: [UInt8] = []
            XCTAssertThrowsError(
                try {
                    switch coding {
                    case .zstd:
                        var decoder = try ZstdDecoder(outputLimit: 1 << 20)
                        try decoder.decode(bomb[...], into: &output)
                    case .gzip:
                        var decoder = try GzipDecoder(outputLimit: 1 << 20)
                        try decoder.decode(bomb[...], into: &output)
                    }
                }())
            XCTAssertLessThanOrEqual(output.count, 1 << 20)
        }
    }

    func testTheLimitIsExact() throws {
        let member = try body(.gzip, [noise(1000)])
        XCTAssertEqual(try decode(.gzip, [member[...]], limit: 1000).count, 1000)
        XCTAssertThrowsError(try decode(.gzip, [member[...]], limit: 999)) {
            XCTAssertEqual($0 as? GzipError, .outputTooLarge(limit: 999))
        }
    }

    func testACutBodyIsNotComplete() throws {
        let member = try body(.gzip, [noise(1000)])
        for count in 1..<member.count {
            XCTAssertThrowsError(try decode(.gzip, [member[..<count]])) {
                XCTAssertEqual($0 as? GzipError, .truncated, "\(count)")
            }
        }
    }

    func testDamageIsFoundOrHarmless() throws {
        var generator = SeededGenerator.announced(for: "gzip")
        let original = noise(2000)
        let member = try body(.gzip, [original])
        var refusedCount = 0
        for _ in 0..<2000 {
            let damaged = generator.mutate(member)
            do {
                // Bytes of the head that say nothing may change; members may have been cut off.
                let decoded = try decode(.gzip, [damaged[...]], limit: 1 << 20)
                XCTAssertTrue(decoded == original || decoded.isEmpty)
            } catch {
                refusedCount += 1
            }
        }
        XCTAssertGreaterThan(refusedCount, 1500)
    }

    func testPagesAreCompressedWithADictionary() throws {
        let dictionary = noise(16_384, seed: 5)
        let page = Array(dictionary[5000..<9096])
        let plain = try ZstdPageCompressor(level: 3, dictionary: nil)
        let primed = try ZstdPageCompressor(
            level: 3, dictionary: ZstdDictionary(dictionary, level: 3))
        func frame(_ compressor: ZstdPageCompressor) throws -> [UInt8] {
            var frame = [UInt8](repeating: 0, count: ZstdPageCompressor.bound(page.count))
            let size = try page.withUnsafeBytes { input in
                try frame.withUnsafeMutableBytes { try compressor.compress(input, into: $0) }
            }
            return Array(frame.prefix(size))
        }
        XCTAssertEqual(try decode(.zstd, [frame(plain)[...]]), page)
        XCTAssertLessThan(try frame(primed).count, 100)
        XCTAssertGreaterThan(try frame(plain).count, 2000)
    }
}
