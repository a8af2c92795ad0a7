/// The body of `POST /v2/pipeline` and `/v3/pipeline`: requests to one stream, in order.
package struct PipelineRequest: Sendable, Equatable {
    /// Continues a stream; nil to open one.
    package var baton: String?
    package var requests: [StreamRequest]

    package init(baton: String? = nil, requests: [StreamRequest]) {
        self.baton = baton
        self.requests = requests
    }

    /// Decodes a JSON body. Fields that this server does not know are no error.
    package init(decoding bytes: [UInt8]) throws(PipelineDecodingError) {
        let document: JSONDocument
        do {
            document = try JSONDocument(parsing: bytes)
        } catch {
            throw .notJSON(error)
        }
        let root = document.root
        try root.requireObject()
        baton = try root.optional("baton") { (element) throws(PipelineDecodingError) in
            try element.decodeString()
        }
        var texts = SQLTextMemo()
        requests = try root.required("requests") { (list) throws(PipelineDecodingError) in
            try list.decodeArray { (_, element) throws(PipelineDecodingError) in
                try StreamRequest(element, &texts)
            }
        }
    }
}
