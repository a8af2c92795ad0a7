internal import CYAML
internal import CommandLineOptions

/// What is wrong with a YAML text, and where.
struct YAMLError: Error, Equatable {
    /// 1-based.
    let line: Int
    let reason: String
}

/// Reads a YAML document that is one flat mapping, event by event. Anchors, aliases, nested
/// mappings and further documents are refused with their line: a configuration that is not
/// understood in full must not start a server.
enum YAMLMapping {
    /// An empty document, or one of comments alone, has no entries.
    static func parse(_ bytes: [UInt8]) throws(YAMLError) -> [ConfigurationFile.Entry] {
        let events = try events(bytes)
        var reader = MappingReader(events: events[...])
        return try reader.read()
    }

    fileprivate enum Kind: Equatable {
        case documentStart, null, sequenceStart, sequenceEnd, mappingStart, mappingEnd
        case scalar(String)
        case unsupported(String)
    }

    fileprivate struct Event {
        let kind: Kind
        let line: Int
    }

    private static func events(_ bytes: [UInt8]) throws(YAMLError) -> [Event] {
        // SAFETY: libyaml keeps the parser's own address and that of its input, so the parser
        // stays in one place, and all parsing happens inside the closure.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { unsafe parser.deallocate() }
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            throw YAMLError(line: 1, reason: "out of memory")
        }
        defer { unsafe yaml_parser_delete(parser) }
        let result = unsafe bytes.withUnsafeBufferPointer { buffer -> Result<[Event], YAMLError> in
            unsafe yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
            return unsafe drain(parser)
        }
        return try result.get()
    }

    private static func drain(
        _ parser: UnsafeMutablePointer<yaml_parser_t>
    ) -> Result<[Event], YAMLError> {
        var events: [Event] = []
        while true {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(parser, &event) == 1 else {
                return unsafe .failure(error(of: parser.pointee))
            }
            defer { unsafe yaml_event_delete(&event) }
            if unsafe event.type == YAML_STREAM_END_EVENT { return .success(events) }
            if let kind = unsafe kind(of: event) {
                unsafe events.append(Event(kind: kind, line: Int(event.start_mark.line) + 1))
            }
        }
    }

    private static func error(of parser: yaml_parser_t) -> YAMLError {
        let reason = unsafe parser.problem.map { unsafe String(cString: $0) } ?? "not valid YAML"
        // Broken UTF-8 is found before there is a line, at an offset in bytes.
        if unsafe parser.error == YAML_READER_ERROR {
            let place = unsafe "at byte \(parser.problem_offset)"
            return unsafe YAMLError(line: Int(parser.mark.line) + 1, reason: "\(reason) \(place)")
        }
        return unsafe YAMLError(line: Int(parser.problem_mark.line) + 1, reason: reason)
    }

    /// nil for events that carry nothing.
    private static func kind(of event: yaml_event_t) -> Kind? {
        switch unsafe event.type {
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            guard unsafe scalar.anchor == nil else {
                return .unsupported("anchors are not supported")
            }
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            let text = unsafe String(decoding: bytes, as: UTF8.self)
            let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
            return isPlain && ["", "~", "null"].contains(text) ? .null : .scalar(text)
        case YAML_SEQUENCE_START_EVENT:
            guard unsafe event.data.sequence_start.anchor == nil else {
                return .unsupported("anchors are not supported")
            }
            return .sequenceStart
        case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            guard unsafe event.data.mapping_start.anchor == nil else {
                return .unsupported("anchors are not supported")
            }
            return .mappingStart
        case YAML_MAPPING_END_EVENT: return .mappingEnd
        case YAML_ALIAS_EVENT: return .unsupported("aliases are not supported")
        default: return nil
        }
    }
}

/// Turns the events of one document into entries.
private struct MappingReader {
    var events: ArraySlice<YAMLMapping.Event>

    mutating func read() throws(YAMLError) -> [ConfigurationFile.Entry] {
        guard let start = events.popFirst() else { return [] }
        precondition(start.kind == .documentStart, "libyaml begins each document with its start")
        guard let root = events.popFirst() else { return [] }
        var entries: [ConfigurationFile.Entry] = []
        if root.kind == .mappingStart {
            entries = try readEntries()
        } else if root.kind != .null {
            throw YAMLError(line: root.line, reason: "'key: value' lines are expected")
        }
        if let next = events.first {
            throw YAMLError(line: next.line, reason: "only one YAML document is allowed")
        }
        return entries
    }

    private mutating func readEntries() throws(YAMLError) -> [ConfigurationFile.Entry] {
        var entries: [ConfigurationFile.Entry] = []
        while let event = events.popFirst() {
            switch event.kind {
            case .mappingEnd: return entries
            case .scalar(let key):
                if let first = entries.first(where: { $0.key == key }) {
                    throw YAMLError(
                        line: event.line,
                        reason: "'\(key)' was already set on line \(first.line)")
                }
                entries.append(.init(key: key, texts: try readValue(of: key), line: event.line))
            case .unsupported(let reason): throw YAMLError(line: event.line, reason: reason)
            default: throw YAMLError(line: event.line, reason: "a key must be a plain word")
            }
        }
        return entries
    }

    private mutating func readValue(of key: String) throws(YAMLError) -> [String] {
        guard let event = events.popFirst() else { return [] }
        guard event.kind == .sequenceStart else { return [try scalar(event, of: key)] }
        var texts: [String] = []
        while let element = events.popFirst(), element.kind != .sequenceEnd {
            texts.append(try scalar(element, of: key))
        }
        guard !texts.isEmpty else {
            throw YAMLError(line: event.line, reason: "'\(key)' has no value")
        }
        return texts
    }

    private func scalar(
        _ event: YAMLMapping.Event, of key: String
    ) throws(YAMLError) -> String {
        switch event.kind {
        case .scalar(let text): return text
        case .null: throw YAMLError(line: event.line, reason: "'\(key)' has no value")
        case .unsupported(let reason): throw YAMLError(line: event.line, reason: reason)
        default:
            throw YAMLError(
                line: event.line, reason: "'\(key)' must be a value or a list of values")
        }
    }
}
