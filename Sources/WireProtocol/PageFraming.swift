package import Primitives

/// The bytes between the pages of an answer to a pull.
///
/// A page travels as a `PageData` message behind its length. Packing it with protobuf-c would copy
/// each page once more; a page in its frame is these bytes and then the page as it is, so it can
/// go from file to socket untouched. A test holds them against protobuf-c's.
///
/// | part | bytes |
/// |---|---|
/// | length of the message | varint, 2 bytes |
/// | field 1, page id; left out for id 0, proto3's default | 0x08, varint of 1-5 bytes |
/// | field 2, page: its length is 4096 | 0x12 0x80 0x20 |
/// | the page | 4096 |
package enum PageFraming {
    /// The most that `writePrefix` writes, in bytes.
    package static let maximumPrefixSize = 11

    private static let pageFieldPrefixSize = 3

    /// Size of what stands before the page, in bytes.
    package static func prefixSize(of id: PageID) -> Int {
        2 + idFieldSize(of: id) + pageFieldPrefixSize
    }

    /// Size of a page with its prefix, in bytes.
    package static func framedSize(of id: PageID) -> Int { prefixSize(of: id) + pageSize }

    /// Writes what stands before the page; `bytes` has room for `maximumPrefixSize`. Returns how
    /// many bytes were written, `prefixSize(of: id)`.
    package static func writePrefix(of id: PageID, into bytes: UnsafeMutableRawPointer) -> Int {
        let messageSize = idFieldSize(of: id) + pageFieldPrefixSize + pageSize
        var count = unsafe Varint.write(UInt64(messageSize), into: bytes)
        if id.rawValue != 0 {
            unsafe bytes.storeBytes(of: 0x08, toByteOffset: count, as: UInt8.self)
            count += 1
            unsafe count += Varint.write(UInt64(id.rawValue), into: bytes + count)
        }
        unsafe bytes.storeBytes(of: 0x12, toByteOffset: count, as: UInt8.self)
        return unsafe count + 1 + Varint.write(UInt64(pageSize), into: bytes + count + 1)
    }

    /// Appends what stands before a page that is `encodedSize` bytes when encoded.
    package static func appendPrefix(
        of id: PageID, encodedSize: Int, to bytes: inout [UInt8]
    ) {
        let size = UInt64(encodedSize)
        append(UInt64(idFieldSize(of: id) + 1 + Varint.size(of: size) + encodedSize), to: &bytes)
        if id.rawValue != 0 {
            bytes.append(0x08)
            append(UInt64(id.rawValue), to: &bytes)
        }
        bytes.append(0x12)
        append(size, to: &bytes)
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var number = number
        while number >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: number) | 0x80)
            number >>= 7
        }
        bytes.append(UInt8(number))
    }

    /// Appends what stands before the page.
    package static func appendPrefix(of id: PageID, to bytes: inout [UInt8]) {
        unsafe withUnsafeTemporaryAllocation(byteCount: maximumPrefixSize, alignment: 1) { buffer in
            let count = unsafe writePrefix(of: id, into: buffer.baseAddress!)
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    private static func idFieldSize(of id: PageID) -> Int {
        id.rawValue == 0 ? 0 : 1 + Varint.size(of: UInt64(id.rawValue))
    }
}
