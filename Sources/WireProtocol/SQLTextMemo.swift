internal import Glibc

/// Hands out one `String` for equal SQL texts that follow each other: a push repeats its statement
/// for each row of a table, 20,000 times in a large one.
struct SQLTextMemo {
    private var last = ""

    mutating func text(of element: JSONView) throws(PipelineDecodingError) -> String {
        guard let bytes = unsafe element.utf8 else { throw .invalid("expected a string") }
        var isLast = false
        last.withUTF8 {
            isLast =
                unsafe $0.count == bytes.count
                && ($0.isEmpty || memcmp($0.baseAddress!, bytes.baseAddress!, $0.count) == 0)
        }
        if !isLast { last = unsafe String(decoding: bytes, as: UTF8.self) }
        return last
    }
}
