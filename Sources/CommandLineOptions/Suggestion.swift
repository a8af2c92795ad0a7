/// Finds the word that a person meant.
package enum Suggestion {
    /// The nearest of `candidates` that is close enough to be a slip of the fingers: at most two
    /// insertions, deletions or replacements, and fewer than the word has letters.
    package static func nearest(to word: String, in candidates: [String]) -> String? {
        let scored = candidates.map { (distance: distance(word, $0), candidate: $0) }
        guard let best = scored.min(by: { $0.distance < $1.distance }), best.distance <= 2,
            best.distance < word.count
        else { return nil }
        return best.candidate
    }

    /// Levenshtein's distance, one row at a time.
    private static func distance(_ left: String, _ right: String) -> Int {
        // A hostile argument may be long; beyond this it is nobody's typing mistake.
        guard left.utf8.count <= 64 else { return .max }
        let right = Array(right)
        var row = Array(0...right.count)
        for (lineNumber, letter) in left.enumerated() {
            var previousRow = row
            row[0] = lineNumber + 1
            for column in right.indices {
                let replaced = previousRow[column] + (right[column] == letter ? 0 : 1)
                row[column + 1] = min(replaced, previousRow[column + 1] + 1, row[column] + 1)
            }
            previousRow = row
        }
        return row[right.count]
    }
}
