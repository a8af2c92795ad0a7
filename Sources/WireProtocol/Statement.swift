package import Primitives

/// One SQL statement with its arguments.
package struct Statement: Sendable, Equatable {
    package struct NamedArgument: Sendable, Equatable {
        /// With or without its `:`, `@` or `$`.
        package var name: String
        package var value: SQLValue

        package init(name: String, value: SQLValue) {
            self.name = name
            self.value = value
        }
    }

    package var text: SQLText
    /// By position, the first for parameter 1.
    package var arguments: [SQLValue]
    /// Take precedence over `arguments`.
    package var namedArguments: [NamedArgument]
    /// Without it no rows are answered, whatever the statement returns.
    package var wantsRows: Bool

    package init(
        text: SQLText, arguments: [SQLValue] = [], namedArguments: [NamedArgument] = [],
        wantsRows: Bool = true
    ) {
        self.text = text
        self.arguments = arguments
        self.namedArguments = namedArguments
        self.wantsRows = wantsRows
    }

    init(_ element: JSONElement, _ texts: inout SQLTextMemo) throws(PipelineDecodingError) {
        try element.requireObject()
        text = try SQLText(element, &texts)
        arguments =
            try element.optional("args") { (list) throws(PipelineDecodingError) in
                try list.decodeArray { (_, value) throws(PipelineDecodingError) in
                    try SQLValue(decoding: value)
                }
            } ?? []
        namedArguments =
            try element.optional("named_args") { (list) throws(PipelineDecodingError) in
                try list.decodeArray { (_, argument) throws(PipelineDecodingError) in
                    try NamedArgument(argument)
                }
            } ?? []
        wantsRows =
            try element.optional("want_rows") { (flag) throws(PipelineDecodingError) in
                try flag.decodeBool()
            } ?? true
    }
}

extension Statement.NamedArgument {
    fileprivate init(_ element: JSONElement) throws(PipelineDecodingError) {
        try element.requireObject()
        name = try element.required("name") { (name) throws(PipelineDecodingError) in
            try name.decodeString()
        }
        value = try element.required("value") { (value) throws(PipelineDecodingError) in
            try SQLValue(decoding: value)
        }
    }
}
