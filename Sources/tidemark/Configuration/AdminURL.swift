internal import CommandLineOptions

/// The address of a server's admin listener: `http://HOST:PORT` or `https://…`, with a path in
/// front of the routes if it stands behind a proxy.
///
/// Invariant: printable ASCII, no query, no fragment, no slash at the end.
struct AdminURL: Equatable, Sendable {
    let text: String
}

extension AdminURL: OptionValue {
    init(optionText: String) throws(InvalidOptionValue) {
        let lowercased = optionText.lowercased()
        guard let scheme = ["http://", "https://"].first(where: lowercased.hasPrefix) else {
            throw InvalidOptionValue("does not begin with http:// or https://")
        }
        let isPlain = optionText.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard isPlain, !optionText.contains("?"), !optionText.contains("#") else {
            throw InvalidOptionValue("is not a plain URL such as http://127.0.0.1:8081")
        }
        var trimmed = optionText
        while trimmed.hasSuffix("/"), trimmed.count > scheme.count { trimmed.removeLast() }
        guard trimmed.count > scheme.count else {
            throw InvalidOptionValue("names no host")
        }
        text = trimmed
    }

    var optionText: String { text }
}
