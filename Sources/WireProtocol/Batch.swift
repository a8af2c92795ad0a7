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

    init(_ element: JSONElement, _ texts: inout SQLTextMemo) throws(PipelineDecodingError) {
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
        _ element: JSONElement, index: Int, _ texts: inout SQLTextMemo
    ) throws(PipelineDecodingError) {
        try element.requireObject()
        condition = try element.optional("condition") { (value) throws(PipelineDecodingError) in
            try BatchCondition(value, stepLimit: index)
        }
        statement = try element.required("stmt") { (statement) throws(PipelineDecodingError) in
            try Statement(statement, &texts)
        }
    }
}
