internal import CommandLineOptions
internal import Glibc

/// Where a listener binds: a host name or an IP address, and a port. Port 0 lets the system choose.
///
/// Invariant: `host` is an IPv4 address, an IPv6 address without brackets, or a host name.
struct ListenAddress: Equatable, Sendable {
    let host: String
    let port: UInt16

    /// True only for what can never be reached from another machine: 127.0.0.0/8, ::1 (also as a
    /// mapped IPv4 address) and the name `localhost`. Other names count as reachable, whatever
    /// they resolve to now.
    var isLoopback: Bool {
        if host.lowercased() == "localhost" { return true }
        if let bytes = Self.ipv4Bytes(host) { return bytes[0] == 127 }
        guard let bytes = Self.ipv6Bytes(host) else { return false }
        let mappedPrefix: [UInt8] = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
        if bytes.starts(with: mappedPrefix) { return bytes[12] == 127 }
        return bytes == [UInt8](repeating: 0, count: 15) + [1]
    }

    private static func ipv4Bytes(_ text: String) -> [UInt8]? {
        parse(text, family: AF_INET, count: 4)
    }

    private static func ipv6Bytes(_ text: String) -> [UInt8]? {
        parse(text, family: AF_INET6, count: 16)
    }

    /// In network order.
    private static func parse(_ text: String, family: Int32, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = unsafe bytes.withUnsafeMutableBytes {
            unsafe inet_pton(family, text, $0.baseAddress)
        }
        return result == 1 ? bytes : nil
    }
}

extension ListenAddress: OptionValue {
    init(optionText: String) throws(InvalidOptionValue) {
        guard let colon = optionText.lastIndex(of: ":") else {
            throw InvalidOptionValue("is not HOST:PORT")
        }
        let portText = optionText[optionText.index(after: colon)...]
        guard !portText.isEmpty, portText.allSatisfy({ $0.isASCII && $0.isNumber }),
            let port = UInt16(portText)
        else { throw InvalidOptionValue("has no port between 0 and 65535") }
        self.port = port
        host = try Self.host(String(optionText[..<colon]))
    }

    var optionText: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    private static func host(_ text: String) throws(InvalidOptionValue) -> String {
        guard !text.isEmpty else {
            throw InvalidOptionValue("has no host; all addresses are 0.0.0.0 or [::]")
        }
        if text.hasPrefix("["), text.hasSuffix("]") {
            let inner = String(text.dropFirst().dropLast())
            guard ipv6Bytes(inner) != nil else {
                throw InvalidOptionValue("has no IPv6 address between its brackets")
            }
            return inner
        }
        if text.contains(":") {
            throw InvalidOptionValue("needs brackets around an IPv6 address: [::1]:8080")
        }
        if text.allSatisfy({ $0 == "." || ($0.isASCII && $0.isNumber) }) {
            // What only looks like an address would be resolved in surprising ways: 127.1, 010.0.0.1.
            guard ipv4Bytes(text) != nil else {
                throw InvalidOptionValue("has no valid IPv4 address")
            }
            return text
        }
        return try DomainName(optionText: text).text
    }
}
