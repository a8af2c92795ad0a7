internal import SQLite
package import WireProtocol

extension PipelineRequest {
    /// Words that begin statements which write. Others may write as well (`WITH … INSERT`), and
    /// these may turn out to write nothing; then the wrong connection was tried first, no more.
    private static let writingWords: Set<String> = [
        "INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER", "REINDEX", "ANALYZE",
        "VACUUM",
    ]

    /// Whether the first statement, or the one behind a BEGIN, plainly writes, so that a reader need
    /// not be tried.
    package var plainlyWrites: Bool {
        for sql in firstTexts {
            let words = Self.words(of: sql)
            guard words.first == "BEGIN" else {
                return Self.writingWords.contains(words.first ?? "")
            }
            // A deferred transaction becomes what its first statement makes of it.
            if words.dropFirst().first == "IMMEDIATE" || words.dropFirst().first == "EXCLUSIVE" {
                return true
            }
        }
        return false
    }

    /// The first two texts, as far as they are in the request itself.
    private var firstTexts: [String] {
        var texts: [String] = []
        for request in requests.prefix(2) {
            switch request {
            case .execute(let statement): texts += [statement.text.sql].compactMap { $0 }
            case .batch(let batch): texts += batch.steps.prefix(2).compactMap(\.statement.text.sql)
            case .sequence(let text): texts += [text.sql].compactMap { $0 }
            default: break
            }
        }
        return Array(texts.prefix(2))
    }

    /// The first two words in upper case; only as far as the beginning of the text goes.
    private static func words(of sql: String) -> [String] {
        let script = SQLScript(String(decoding: sql.utf8.prefix(128), as: UTF8.self))
        let first = script.keyword(from: 0)
        guard first == "BEGIN" else { return [first] }
        return [first, script.keyword(from: script.end(of: first))]
    }
}
