internal import WireProtocol

/// SQL texts that a request stored under ids of its own choice, to be named instead of repeated.
struct StoredSQL {
    private var texts: [Int32: String] = [:]
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    mutating func store(_ sql: String, id: Int32) throws(StatementFailure) {
        guard texts[id] == nil else {
            throw StatementFailure(
                code: "SQL_ID_EXISTS", message: "SQL text \(id) already exists on the stream")
        }
        guard texts.count < limit else {
            throw StatementFailure(
                code: "SQL_STORE_TOO_MANY",
                message: "the stream already stores \(limit) SQL texts")
        }
        texts[id] = sql
    }

    mutating func close(id: Int32) { texts[id] = nil }

    /// The text that a request means.
    func text(of reference: SQLText) throws(StatementFailure) -> String {
        switch (reference.sql, reference.sqlID) {
        case (let sql?, nil): return sql
        case (nil, let id?):
            guard let sql = texts[id] else {
                throw StatementFailure(
                    code: "SQL_ID_NOT_FOUND", message: "SQL text \(id) does not exist")
            }
            return sql
        case (nil, nil):
            throw StatementFailure(
                code: "SQL_NO_STATEMENT", message: "neither sql nor sql_id is given")
        case (_?, _?):
            throw StatementFailure(
                code: "SQL_MANY_STATEMENTS", message: "both sql and sql_id are given")
        }
    }
}
