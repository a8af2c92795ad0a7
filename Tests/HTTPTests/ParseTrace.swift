@testable import HTTP

/// What a parser made of some bytes, in a form that can be compared: one line a head, body, end or
/// error. The bytes of a body are joined, because where they are cut is not part of the result.
struct ParseTrace: Equatable {
    private(set) var lines: [String] = []
    private(set) var error: HTTPParseError?
    private var body: [UInt8] = []

    /// - Parameter cuts: offsets at which the bytes are handed over in a new piece, ascending.
    init(
        _ bytes: [UInt8], cuts: [Int] = [], limits: HTTPParserLimits = HTTPParserLimits()
    ) {
        var parser = HTTPRequestParser(limits: limits)
        var start = 0
        for end in cuts + [bytes.count] {
            guard feed(Array(bytes[start..<end]), to: &parser) else { return }
            start = end
        }
        if !body.isEmpty { lines.append("unfinished body \(text(body))") }
    }

    init(_ text: String, cuts: [Int] = [], limits: HTTPParserLimits = HTTPParserLimits()) {
        self.init(Array(text.utf8), cuts: cuts, limits: limits)
    }

    private mutating func feed(_ piece: [UInt8], to parser: inout HTTPRequestParser) -> Bool {
        var offset = 0
        do throws(HTTPParseError) {
            while let event = try parser.next(in: piece.span, at: &offset) {
                switch event {
                case .head(let head, let framing): lines.append(describe(head, framing))
                case .body(let range):
                    precondition(!range.isEmpty)
                    body += piece[range]
                case .end:
                    if !body.isEmpty { lines.append("body \(text(body))") }
                    body = []
                    lines.append("end")
                }
            }
            precondition(offset == piece.count)
            return true
        } catch {
            if !body.isEmpty { lines.append("unfinished body \(text(body))") }
            lines.append("error \(error)")
            self.error = error
            return false
        }
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private func describe(_ head: HTTPRequestHead, _ framing: HTTPBodyFraming) -> String {
        let fields = head.headers.fields.map { "\($0.name)=\($0.value)" }.joined(separator: "|")
        return
            "\(head.method) \(head.path) ?\(head.query ?? "-") \(head.isHTTP11) \(framing) "
            + fields
    }
}
