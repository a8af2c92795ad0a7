/// A configuration file as it was written: keys with their texts, not yet checked against the
/// options. One mapping of scalars, or of lists of scalars.
package struct ConfigurationFile: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package let key: String
        /// One for a scalar, any number for a list.
        package let texts: [String]
        /// 1-based, of the key.
        package let line: Int

        package init(key: String, texts: [String], line: Int) {
            self.key = key
            self.texts = texts
            self.line = line
        }
    }

    /// As the person named it; for messages.
    package let path: String
    package let entries: [Entry]

    package init(path: String, entries: [Entry]) {
        self.path = path
        self.entries = entries
    }
}
