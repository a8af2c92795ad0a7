/// Where the text of a statement is: in the request, or stored on the stream before.
///
/// A request must give exactly one of the two. Which of them it gave is not the decoder's business:
/// like every error in a statement, neither and both are answered in the statement's place.
package struct SQLText: Sendable, Equatable {
    /// May hold NUL characters.
    package var sql: String?
    package var sqlID: Int32?

    package init(sql: String? = nil, sqlID: Int32? = nil) {
        self.sql = sql
        self.sqlID = sqlID
    }

    init(
        sql: JSONField, id: JSONField, _ texts: inout SQLTextMemo
    ) throws(PipelineDecodingError) {
        self.sql = try sql.optional("sql") { (sql) throws(PipelineDecodingError) in
            try texts.text(of: sql)
        }
        sqlID = try id.optional("sql_id") { (id) throws(PipelineDecodingError) in
            try id.decodeInt32()
        }
    }

    init(_ element: JSONView, _ texts: inout SQLTextMemo) throws(PipelineDecodingError) {
        var (sql, id) = (JSONField(), JSONField())
        var fields = try JSONFields(of: element)
        while fields.next() {
            if fields.isNamed("sql") {
                sql.take(fields.value)
            } else if fields.isNamed("sql_id") {
                id.take(fields.value)
            }
        }
        try self.init(sql: sql, id: id, &texts)
    }
}
