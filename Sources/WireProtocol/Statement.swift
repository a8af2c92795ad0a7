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

    init(_ element: JSONView, _ texts: inout SQLTextMemo) throws(PipelineDecodingError) {
        let fields = try Fields(element)
        let text = try SQLText(sql: fields.sql, id: fields.sqlID, &texts)
        let arguments =
            try fields.arguments.optional("args") { (list) throws(PipelineDecodingError) in
                try list.decodeArray { (_, value) throws(PipelineDecodingError) in
                    try SQLValue(decoding: value)
                }
            } ?? []
        let namedArguments =
            try fields.namedArguments.optional("named_args") {
                (list) throws(PipelineDecodingError) in
                try list.decodeArray { (_, argument) throws(PipelineDecodingError) in
                    try NamedArgument(argument)
                }
            } ?? []
        let wantsRows =
            try fields.wantsRows.optional("want_rows") { (flag) throws(PipelineDecodingError) in
                try flag.decodeBool()
            } ?? true
        self.init(
            text: text, arguments: arguments, namedArguments: namedArguments, wantsRows: wantsRows)
    }

    private struct Fields {
        var (sql, sqlID, arguments) = (JSONField(), JSONField(), JSONField())
        var (namedArguments, wantsRows) = (JSONField(), JSONField())

        init(_ element: JSONView) throws(PipelineDecodingError) {
            var fields = try JSONFields(of: element)
            while fields.next() {
                if fields.isNamed("sql") {
                    sql.take(fields.value)
                } else if fields.isNamed("sql_id") {
                    sqlID.take(fields.value)
                } else if fields.isNamed("args") {
                    arguments.take(fields.value)
                } else if fields.isNamed("named_args") {
                    namedArguments.take(fields.value)
                } else if fields.isNamed("want_rows") {
                    wantsRows.take(fields.value)
                }
            }
        }
    }
}

extension Statement.NamedArgument {
    fileprivate init(_ element: JSONView) throws(PipelineDecodingError) {
        try element.requireObject()
        name = try element.required("name") { (name) throws(PipelineDecodingError) in
            try name.decodeString()
        }
        value = try element.required("value") { (value) throws(PipelineDecodingError) in
            try SQLValue(decoding: value)
        }
    }
}
