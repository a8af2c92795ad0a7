/// What a client says of content codings: the field Accept-Encoding (RFC 9110, section 12.5.3).
package enum AcceptEncoding {
    /// The coding to answer with; nil for none.
    ///
    /// Only codings that the client names count, not `*`: a client that cannot decode what it gets
    /// is worse off than one that gets more bytes. For the same reason nothing is refused that
    /// the field rules out. Members that are not well formed are left out.
    ///
    /// - Parameter available: in lower case, the best first.
    package static func choice(of available: [String], in headers: HTTPHeaders) -> String? {
        // Most clients name none, and to find that out must not cost more than to answer them.
        let fields = headers.fields.lazy.filter { $0.name == "accept-encoding" }
        guard fields.contains(where: { mayName(available, in: $0.value.utf8) }) else { return nil }
        var weights: [String: Int] = [:]
        for field in fields {
            for member in field.value.split(separator: ",") {
                guard let (coding, weight) = weighted(member) else { continue }
                weights[coding] = weight
            }
        }
        let identity = weights["identity"] ?? 0
        var best: (coding: String, weight: Int)?
        for coding in available {
            let weight = weights[coding] ?? 0
            if weight > 0, weight >= identity, weight > best?.weight ?? 0 {
                best = (coding, weight)
            }
        }
        return best?.coding
    }

    /// False if none of the codings is in the text.
    private static func mayName(_ available: [String], in text: String.UTF8View) -> Bool {
        available.contains { coding in
            var matchedCount = 0
            let name = coding.utf8
            var next = name.startIndex
            for byte in text {
                if byte | 0x20 != name[next] {
                    next = name.startIndex
                    matchedCount = 0
                    guard byte | 0x20 == name[next] else { continue }
                }
                matchedCount += 1
                next = name.index(after: next)
                if matchedCount == name.count { return true }
            }
            return false
        }
    }

    /// A coding in lower case with its weight in thousandths.
    private static func weighted(_ member: Substring) -> (coding: String, weight: Int)? {
        let parts = member.split(separator: ";", omittingEmptySubsequences: false).map {
            String($0.trimmed).lowercased()
        }
        guard let coding = parts.first, !coding.isEmpty,
            coding.utf8.allSatisfy(HTTPByteClass.isToken)
        else { return nil }
        guard parts.count > 1 else { return (name(coding), 1000) }
        guard parts.count == 2, parts[1].hasPrefix("q="),
            let weight = thousandths(parts[1].dropFirst(2).utf8)
        else { return nil }
        return (name(coding), weight)
    }

    /// RFC 9110, section 8.4.1.3.
    private static func name(_ coding: String) -> String { coding == "x-gzip" ? "gzip" : coding }

    /// `0` to `1` with at most three decimals.
    private static func thousandths(_ text: Substring.UTF8View) -> Int? {
        let bytes = Array(text)
        guard (1...5).contains(bytes.count), bytes[0] == 0x30 || bytes[0] == 0x31,
            bytes.count == 1 || bytes[1] == 0x2E
        else { return nil }
        var value = Int(bytes[0] - 0x30) * 1000
        var place = 100
        for byte in bytes.dropFirst(2) {
            guard (0x30...0x39).contains(byte) else { return nil }
            value += Int(byte - 0x30) * place
            place /= 10
        }
        return value <= 1000 ? value : nil
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        let start = drop(while: isSpace)
        guard let end = start.lastIndex(where: { !isSpace($0) }) else { return start }
        return start[...end]
    }
}
