/// The name of a database: `[A-Za-z0-9_-]{1,128}`. It doubles as the name of a folder, which is
/// safe because it holds no dot and no slash.
package struct DatabaseName: Hashable, Comparable, Sendable {
    package let text: String

    /// Exists from the start; what a bare host or an IP address means.
    package static let `default` = DatabaseName(unchecked: "default")

    package init?(_ text: some StringProtocol) {
        guard (1...128).contains(text.utf8.count),
            text.utf8.allSatisfy({ byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            })
        else { return nil }
        self.text = String(text)
    }

    private init(unchecked text: String) { self.text = text }

    package static func < (left: DatabaseName, right: DatabaseName) -> Bool {
        left.text < right.text
    }
}
