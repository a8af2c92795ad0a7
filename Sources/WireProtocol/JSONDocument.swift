internal import CSimdJSON

/// One parsed JSON text; its elements keep it alive.
///
/// Parsing validates the whole text (syntax, UTF-8, depth) before the first element is handed
/// out. A parser is made for each document: one that is kept would hold on to buffers of several
/// times the largest body it has seen, to save some page faults in the next large one.
@safe package final class JSONDocument: @unchecked Sendable {
    /// Deeper than any message of the clients, shallow enough for recursive decoders.
    package static let defaultMaximumDepth = 64

    // SAFETY: both live from `init` to `deinit`; the parsed document is never changed, so threads
    // may share it.
    private let handle: OpaquePointer
    private let rootElement: csimdjson_element

    package init(
        parsing bytes: [UInt8], maximumDepth: Int = JSONDocument.defaultMaximumDepth
    ) throws(JSONError) {
        var opened: OpaquePointer?
        var root = unsafe csimdjson_element()
        let code = unsafe csimdjson_parse(bytes, bytes.count, maximumDepth, &opened, &root)
        guard code == csimdjson_success, let opened = unsafe opened else {
            switch code {
            case csimdjson_depth_error: throw .tooDeep(limit: maximumDepth)
            case csimdjson_capacity: throw .tooLarge
            case csimdjson_memalloc: throw .outOfMemory
            default: throw .malformed(reason: unsafe String(cString: csimdjson_error_message(code)))
            }
        }
        unsafe handle = opened
        unsafe rootElement = root
    }

    deinit { unsafe csimdjson_free(handle) }

    package var root: JSONElement { unsafe JSONElement(JSONView(rootElement), in: self) }
}
