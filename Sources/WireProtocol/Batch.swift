/// Statements that are carried out in order, each under its condition.
package struct Batch: Sendable, Equatable {
    package struct Step: Sendable, Equatable {
        /// Without one, the step is always carried out.
        package var condition: BatchCondition?
        package var statement: Statement

        package init(condition: BatchCondition? = nil, statement: Statement) {
            self.condition = condition
            self.statement = statement
        }
    }

    /// Invariant: the condition of a step names only steps before it.
    package var steps: [Step]

    package init(steps: [Step]) { self.steps = steps }

    init(_ element: JSONView, _ texts: inout SQLTextMemo) throws(PipelineDecodingError) {
        try element.requireObject()
        steps = try element.required("steps") { (list) throws(PipelineDecodingError) in
            try list.decodeArray { (index, step) throws(PipelineDecodingError) in
                try Step(step, index: index, &texts)
            }
        }
    }
}

extension Batch.Step {
    fileprivate init(
        _ element: JSONView, index: Int, _ texts: inout SQLTextMemo
    ) throws(PipelineDecodingError) {
        var (conditionField, statementField) = (JSONField(), JSONField())
        var fields = try JSONFields(of: element)
        while fields.next() {
            if fields.isNamed("stmt") {
                statementField.take(fields.value)
            } else if fields.isNamed("condition") {
                conditionField.take(fields.value)
            }
        }
        let condition = try conditionField.optional("condition") {
            (value) throws(PipelineDecodingError) in
            try BatchCondition(value, stepLimit: index)
        }
        let statement = try statementField.required("stmt") {
            (statement) throws(PipelineDecodingError) in
            try Statement(statement, &texts)
        }
        self.init(condition: condition, statement: statement)
    }
}
