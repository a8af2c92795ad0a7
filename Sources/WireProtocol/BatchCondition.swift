/// When a step of a batch is carried out.
package indirect enum BatchCondition: Sendable, Equatable {
    /// The step of that index succeeded; false where it was skipped.
    case ok(step: Int)
    /// The step of that index failed; false where it was skipped.
    case error(step: Int)
    case not(BatchCondition)
    /// True for none.
    case and([BatchCondition])
    /// False for none.
    case or([BatchCondition])
    /// No transaction is open.
    case isAutocommit

    /// What every step of a push but the first carries; made once for all of them.
    private static let insideTransaction = BatchCondition.not(.isAutocommit)

    /// `stepLimit` is the index of the step that has the condition: it can only look back. The
    /// document's depth bounds the recursion.
    init(_ element: JSONView, stepLimit: Int) throws(PipelineDecodingError) {
        let fields = try Fields(element)
        guard fields.type.isThere else { throw .invalid("the field \"type\" is missing") }
        let type = fields.type.value
        if type?.equals("not") == true {
            let inner = try fields.inner.required("cond") { (inner) throws(PipelineDecodingError) in
                try BatchCondition(inner, stepLimit: stepLimit)
            }
            if case .isAutocommit = inner {
                self = Self.insideTransaction
            } else {
                self = .not(inner)
            }
        } else if type?.equals("is_autocommit") == true {
            self = .isAutocommit
        } else if type?.equals("ok") == true {
            self = .ok(step: try Self.step(of: element, limit: stepLimit))
        } else if type?.equals("error") == true {
            self = .error(step: try Self.step(of: element, limit: stepLimit))
        } else if type?.equals("and") == true {
            self = .and(try Self.conditions(of: element, stepLimit: stepLimit))
        } else if type?.equals("or") == true {
            self = .or(try Self.conditions(of: element, stepLimit: stepLimit))
        } else {
            throw .invalid("expected a \"type\" of ok, error, not, and, or or is_autocommit")
        }
    }

    /// Those of the conditions that a push is full of.
    private struct Fields {
        var (type, inner) = (JSONField(), JSONField())

        init(_ element: JSONView) throws(PipelineDecodingError) {
            var fields = try JSONFields(of: element)
            while fields.next() {
                if fields.isNamed("type") {
                    type.take(fields.value)
                } else if fields.isNamed("cond") {
                    inner.take(fields.value)
                }
            }
        }
    }

    private static func step(
        of element: JSONView, limit: Int
    ) throws(PipelineDecodingError) -> Int {
        try element.required("step") { (step) throws(PipelineDecodingError) in
            guard let index = step.int64, (0..<Int64(limit)).contains(index) else {
                throw .invalid("expected the index of an earlier step")
            }
            return Int(index)
        }
    }

    private static func conditions(
        of element: JSONView, stepLimit: Int
    ) throws(PipelineDecodingError) -> [BatchCondition] {
        try element.required("conds") { (list) throws(PipelineDecodingError) in
            try list.decodeArray { (_, condition) throws(PipelineDecodingError) in
                try BatchCondition(condition, stepLimit: stepLimit)
            }
        }
    }
}
