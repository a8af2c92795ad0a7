package import CommandLineOptions

/// The base URL that requests go to: `http://HOST[:PORT][/PATH]`. `{n}` in the path or the host
/// stands for the number of the database, from 0 on.
package struct TargetURL: Equatable, Sendable {
    package let host: String
    package let port: UInt16
    /// Begins with a slash, or is empty; ends without one.
    package let path: String

    package init(host: String, port: UInt16, path: String) {
        self.host = host
        self.port = port
        self.path = path
    }

    /// As requests carry it in `Host`.
    package var authority: String { port == 80 ? host : "\(host):\(port)" }

    package var hasPlaceholder: Bool { (host + path).contains("{n}") }

    /// The URL of one of several databases.
    package func database(_ number: Int) -> TargetURL {
        func filled(_ text: String) -> String {
            let parts = text.split(separator: "{n}", omittingEmptySubsequences: false)
            return parts.joined(separator: "\(number)")
        }
        return TargetURL(host: filled(host), port: port, path: filled(path))
    }
}

extension TargetURL: OptionValue {
    package init(optionText: String) throws(InvalidOptionValue) {
        let prefix = "http://"
        guard optionText.lowercased().hasPrefix(prefix) else {
            throw InvalidOptionValue("is not a URL that begins with http://")
        }
        let rest = optionText.dropFirst(prefix.count)
        // It goes into request lines as it is.
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw InvalidOptionValue("holds what a URL cannot")
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        var path = String(rest.dropFirst(authority.count))
        if path.hasPrefix("?") { path = "/" + path }
        let isPlain = !path.contains("?")
        while isPlain, path.hasSuffix("/") { path.removeLast() }
        let portStart = authority.lastIndex(of: ":").flatMap {
            authority[$0...].contains("]") ? nil : $0
        }
        let host = String(authority[..<(portStart ?? authority.endIndex)])
        let portText = portStart.map { authority[authority.index(after: $0)...] }
        guard let port = portText.map({ UInt16($0) }) ?? 80, !host.isEmpty, port > 0 else {
            throw InvalidOptionValue("is not a URL such as http://127.0.0.1:8080/db/notes")
        }
        self.init(host: host, port: port, path: path)
    }

    package var optionText: String { "http://\(authority)\(path)" }
}
