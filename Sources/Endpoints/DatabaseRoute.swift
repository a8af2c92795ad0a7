package import HTTP
package import Primitives
internal import WireProtocol

/// Which database a request is for, and which route of it. Pure.
///
/// In this order: a path prefix `/db/{name}` or `/dev/{name}`; the header `x-namespace-bin`
/// (base64) or `x-namespace`; the first label of a Host name under one of the configured base
/// domains; else the default database.
package struct DatabaseRoute: Equatable, Sendable {
    package enum Failure: Error, Equatable {
        /// Something that is not a name stands where one should.
        case invalidName
        case invalidPath
    }

    /// The name of a database, and how exactly it was spelled: host names come without case.
    package struct Reference: Equatable, Sendable {
        package let name: DatabaseName
        package let ignoresCase: Bool
    }

    package let database: Reference
    /// Of the route within the database; begins with one slash.
    package let path: String

    package init(
        path rawPath: String, headers: HTTPHeaders, baseDomains: [String]
    ) throws(Failure) {
        guard rawPath.utf8.first == UInt8(ascii: "/") else { throw .invalidPath }
        let bytes = rawPath.utf8Span.span
        var offset = 0
        if let prefix = PathSegment.next(in: bytes, at: &offset), prefix == "db" || prefix == "dev",
            let text = PathSegment.next(in: bytes, at: &offset)
        {
            database = Reference(name: try Self.name(text), ignoresCase: false)
            path = PathSegment.rest(of: bytes, from: offset)
            return
        }
        path = PathSegment.rest(of: bytes, from: 0)
        if let reference = try Self.fromHeader(headers) {
            database = reference
        } else {
            database = try Self.fromHost(headers["host"] ?? "", baseDomains: baseDomains)
        }
    }

    private static func name(_ text: some StringProtocol) throws(Failure) -> DatabaseName {
        guard let name = DatabaseName(text) else { throw .invalidName }
        return name
    }

    private static func fromHeader(_ headers: HTTPHeaders) throws(Failure) -> Reference? {
        var text: String
        if let encoded = headers["x-namespace-bin"] {
            guard let bytes = Base64.decode(encoded) else { throw .invalidName }
            text = String(decoding: bytes, as: UTF8.self)
        } else if let plain = headers["x-namespace"] {
            text = plain
        } else {
            return nil
        }
        // Clients derive the header from the host; from 127.0.0.1 they make this.
        if text == "127" { text = DatabaseName.default.text }
        return Reference(name: try name(text), ignoresCase: false)
    }

    private static func fromHost(
        _ host: String, baseDomains: [String]
    ) throws(Failure) -> Reference {
        let bytes = host.utf8Span.span
        let name = bytes.extracting(..<endOfName(bytes))
        for base in baseDomains {
            let label = name.count - base.utf8.count - 1
            guard label >= 0, name[label] == UInt8(ascii: "."),
                equalsIgnoringCase(name.extracting((label + 1)...), base)
            else { continue }
            let text = unsafe name.extracting(..<label).withUnsafeBufferPointer {
                unsafe String(decoding: $0, as: UTF8.self)
            }
            return Reference(name: try Self.name(text.lowercased()), ignoresCase: true)
        }
        return Reference(name: .default, ignoresCase: false)
    }

    /// Where the port, or a final dot before it, begins.
    private static func endOfName(_ host: Span<UInt8>) -> Int {
        var end = host.count
        if end > 0, host[0] == UInt8(ascii: "[") {
            end = host.indices.first { host[$0] == UInt8(ascii: "]") } ?? end
        } else if let colon = host.indices.last(where: { host[$0] == UInt8(ascii: ":") }) {
            end = colon
        }
        return end > 0 && host[end - 1] == UInt8(ascii: ".") ? end - 1 : end
    }

    /// For ASCII; any other byte equals itself only.
    private static func equalsIgnoringCase(_ left: Span<UInt8>, _ right: String) -> Bool {
        let right = right.utf8Span.span
        guard left.count == right.count else { return false }
        return left.indices.allSatisfy { lowercased(left[$0]) == lowercased(right[$0]) }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

/// The parts of a path between its slashes. Empty ones do not count: clients glue a slash to URLs
/// that end with one.
private enum PathSegment {
    static func next(in path: Span<UInt8>, at offset: inout Int) -> String? {
        guard let range = nextRange(in: path, at: &offset) else { return nil }
        return unsafe path.extracting(range).withUnsafeBufferPointer {
            unsafe String(decoding: $0, as: UTF8.self)
        }
    }

    /// What is left, as a path that begins with one slash.
    static func rest(of path: Span<UInt8>, from start: Int) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(path.count - start + 1)
        var offset = start
        while let range = nextRange(in: path, at: &offset) {
            bytes.append(UInt8(ascii: "/"))
            for index in range { bytes.append(path[index]) }
        }
        return bytes.isEmpty ? "/" : String(decoding: bytes, as: UTF8.self)
    }

    private static func nextRange(in path: Span<UInt8>, at offset: inout Int) -> Range<Int>? {
        while offset < path.count, path[offset] == UInt8(ascii: "/") { offset += 1 }
        let start = offset
        while offset < path.count, path[offset] != UInt8(ascii: "/") { offset += 1 }
        return start < offset ? start..<offset : nil
    }
}
