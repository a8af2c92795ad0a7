internal import CCurl

/// Speaks HTTP to an admin listener, one request at a time, through libcurl. Blocks until the
/// answer is there; bodies stream from and to files.
struct AdminHTTPClient {
    enum Content {
        case none
        case json(String)
        /// The whole file behind a descriptor, from its start; the caller keeps the descriptor.
        case file(descriptor: Int32, size: UInt64, type: String)
    }

    struct Response: Equatable {
        let status: Int
        /// Empty if it went into a file.
        let body: [UInt8]
    }

    let base: AdminURL

    /// - Parameters:
    ///   - path: begins with a slash.
    ///   - destination: where the body of a 200 goes; nil keeps it in memory.
    ///   - progress: told the bytes of the file's body that went over so far.
    func send(
        _ method: String, _ path: String, _ content: Content = .none, to destination: Int32? = nil,
        progress: @escaping (UInt64) -> Void = { _ in }
    ) throws(AdministrationError) -> Response {
        guard let handle = unsafe curl_easy_init() else {
            throw .failed("libcurl cannot be started")
        }
        defer { unsafe curl_easy_cleanup(handle) }
        let transfer = unsafe AdminTransfer(handle, destination, progress)
        let headers = unsafe configure(handle, method, path, content, transfer)
        defer { unsafe curl_slist_free_all(headers) }
        // SAFETY: libcurl keeps this pointer, and calls back, only inside `curl_easy_perform`.
        let context = unsafe Unmanaged.passUnretained(transfer).toOpaque()
        unsafe ccurl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        unsafe ccurl_set_pointer(handle, CURLOPT_READDATA, context)
        let code = withExtendedLifetime(transfer) { unsafe curl_easy_perform(handle) }
        if let failure = transfer.failure { throw failure }
        var status = 0
        unsafe ccurl_response_code(handle, &status)
        // A server may refuse an upload and close before it has read all; its answer explains more
        // than the broken pipe does.
        let isRefusedUpload = code == CURLE_SEND_ERROR && status >= 400
        guard code == CURLE_OK || isRefusedUpload else {
            throw .unavailable("\(base.text): \(unsafe String(cString: curl_easy_strerror(code)))")
        }
        return Response(status: status, body: transfer.body)
    }

    /// - Returns: the list of headers, which must live as long as the request.
    private func configure(
        _ handle: UnsafeMutableRawPointer, _ method: String, _ path: String, _ content: Content,
        _ transfer: AdminTransfer
    ) -> UnsafeMutablePointer<curl_slist>? {
        unsafe ccurl_set_pointer(handle, CURLOPT_URL, base.text + path)
        unsafe ccurl_set_pointer(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        unsafe ccurl_set_pointer(handle, CURLOPT_CUSTOMREQUEST, method)
        unsafe ccurl_set_pointer(handle, CURLOPT_USERAGENT, "tidemark/\(Version.text)")
        // A proxy for the wide world has no business between an operator and a local listener.
        unsafe ccurl_set_pointer(handle, CURLOPT_PROXY, "")
        unsafe ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        unsafe ccurl_set_long(handle, CURLOPT_CONNECTTIMEOUT, 10)
        unsafe ccurl_set_long(handle, CURLOPT_TCP_KEEPALIVE, 1)
        unsafe ccurl_set_data_callback(handle, CURLOPT_WRITEFUNCTION) {
            bytes, size, count, context in
            unsafe AdminTransfer.from(context).receive(
                UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        var headers: UnsafeMutablePointer<curl_slist>?
        switch content {
        case .none: break
        case .json(let text):
            unsafe headers = curl_slist_append(headers, "Content-Type: application/json")
            unsafe ccurl_set_offset(
                handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(text.utf8.count))
            unsafe ccurl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, text)
        case .file(let descriptor, let size, let type):
            unsafe headers = curl_slist_append(headers, "Content-Type: \(type)")
            transfer.source = descriptor
            unsafe ccurl_set_long(handle, CURLOPT_UPLOAD, 1)
            unsafe ccurl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(size))
            unsafe ccurl_set_data_callback(handle, CURLOPT_READFUNCTION) {
                bytes, size, count, context in
                unsafe AdminTransfer.from(context)
                    .supply(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
            }
        }
        unsafe ccurl_set_pointer(handle, CURLOPT_HTTPHEADER, headers)
        return unsafe headers
    }
}
