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
        // Clients glue a slash to URLs that end with one.
        let parts = rawPath.split(separator: "/", omittingEmptySubsequences: true)
        guard rawPath.hasPrefix("/") else { throw .invalidPath }
        if let prefix = parts.first, prefix == "db" || prefix == "dev", parts.count >= 2 {
            database = Reference(name: try Self.name(parts[1]), ignoresCase: false)
            path = "/" + parts.dropFirst(2).joined(separator: "/")
            return
        }
        path = "/" + parts.joined(separator: "/")
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
        let name = hostName(host)
        for base in baseDomains {
            let suffix = "." + base.lowercased()
            guard name.hasSuffix(suffix) else { continue }
            let label = name.dropLast(suffix.utf8.count)
            return Reference(name: try Self.name(label), ignoresCase: true)
        }
        return Reference(name: .default, ignoresCase: false)
    }

    /// Lower case, without port and final dot.
    private static func hostName(_ host: String) -> String {
        var name = host.lowercased()[...]
        if name.hasPrefix("[") {
            name = name.prefix { $0 != "]" }
        } else if let colon = name.lastIndex(of: ":") {
            name = name[..<colon]
        }
        if name.hasSuffix(".") { name = name.dropLast() }
        return String(name)
    }
}
