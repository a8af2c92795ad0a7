import Foundation
import Primitives

/// A frame as it travels, without its salts and checksums.
struct WireFrame: Equatable {
    static let size = 4120

    var page: UInt32
    /// In pages, after the commit that the frame ends; 0 if it ends none.
    var databaseSize: UInt32
    var content: [UInt8]

    /// Reads the frames of a body.
    static func decode(_ bytes: some Collection<UInt8>) -> [WireFrame] {
        let bytes = Array(bytes)
        func word(_ offset: Int) -> UInt32 {
            bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        return stride(from: 0, to: bytes.count, by: size).map { start in
            WireFrame(
                page: word(start), databaseSize: word(start + 4),
                content: Array(bytes[start + 24..<start + size]))
        }
    }

    /// A body whose checksums follow from each other, as in a client's WAL.
    static func encode(
        _ frames: some Sequence<WireFrame>, salt: UInt32 = 3, isBigEndian: Bool = false
    ) -> [UInt8] {
        var sum = (salt &+ 1, salt &+ 2)
        var body: [UInt8] = []
        for frame in frames {
            let header = word(frame.page) + word(frame.databaseSize)
            for part in [header, frame.content] {
                sum = part.withUnsafeBytes {
                    WALChecksum.checksum($0, from: sum, isBigEndian: isBigEndian)
                }
            }
            body += header + word(salt) + word(salt) + word(sum.0) + word(sum.1) + frame.content
        }
        return body
    }

    private static func word(_ value: UInt32) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
