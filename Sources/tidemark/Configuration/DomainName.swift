internal import CommandLineOptions

/// A DNS name in lower case, without a dot at its end: names are matched without case.
///
/// Invariant: labels of 1 to 63 of `[a-z0-9_-]` separated by dots, 253 bytes at most.
struct DomainName: Hashable, Sendable {
    let text: String
}

extension DomainName: OptionValue {
    init(optionText: String) throws(InvalidOptionValue) {
        let name = optionText.lowercased()
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isValid = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count)
                && label.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                        UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
        }
        guard isValid, name.utf8.count <= 253 else {
            throw InvalidOptionValue("is not a host name")
        }
        text = name
    }

    var optionText: String { text }
}
