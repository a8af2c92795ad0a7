/// The body of `POST /v2/pipeline` and `/v3/pipeline`: requests to one stream, in order; or that of
/// `/v3/cursor`, which has one request, a batch.
package struct PipelineRequest: Sendable, Equatable {
    /// Continues a stream; nil to open one.
    package var baton: String?
    package var requests: [StreamRequest]

    /// What the answer looks like.
    package enum Form: Sendable {
        case pipeline
        case cursor
    }
    package var form = Form.pipeline

    package init(baton: String? = nil, requests: [StreamRequest]) {
        self.baton = baton
        self.requests = requests
    }

    /// Decodes a JSON body. Fields that this server does not know are no error.
    package init(
        decoding bytes: [UInt8], as form: Form = .pipeline
    ) throws(PipelineDecodingError) {
        self.form = form
        let document: JSONDocument
        do {
            document = try JSONDocument(parsing: bytes)
        } catch {
            throw .notJSON(error)
        }
        (baton, requests) = try document.root.withView {
            (root) throws(PipelineDecodingError) in
            try Self.decode(root, as: form)
        }
    }

    private static func decode(
        _ root: JSONView, as form: Form
    ) throws(PipelineDecodingError) -> (baton: String?, requests: [StreamRequest]) {
        try root.requireObject()
        let baton = try root.optional("baton") { (element) throws(PipelineDecodingError) in
            try element.decodeString()
        }
        var texts = SQLTextMemo()
        guard form == .pipeline else {
            let batch = try root.required("batch") { (batch) throws(PipelineDecodingError) in
                try Batch(batch, &texts)
            }
            return (baton, [.batch(batch)])
        }
        let requests = try root.required("requests") { (list) throws(PipelineDecodingError) in
            try list.decodeArray { (_, element) throws(PipelineDecodingError) in
                try StreamRequest(element, &texts)
            }
        }
        return (baton, requests)
    }
}
