internal import WireProtocol

/// SQL texts that a request stored under ids of its own choice, to be named instead of repeated.
struct StoredSQL {
    private var texts: [Int32: String] = [:]
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    mutating func store(_ sql: String, id: Int32) throws(SQLFailure) {
        guard texts[id] == nil else {
            throw SQLFailure(
                message: "SQL text \(id) already exists on the stream", code: "SQL_ID_EXISTS")
        }
        guard texts.count < limit else {
            throw SQLFailure(
                message: "the stream already stores \(limit) SQL texts", code: "SQL_STORE_TOO_MANY")
        }
        texts[id] = sql
    }

    mutating func close(id: Int32) { texts[id] = nil }

    /// The text that a request means.
    func text(of reference: SQLText) throws(SQLFailure) -> String {
        switch (reference.sql, reference.sqlID) {
        case (let sql?, nil): return sql
        case (nil, let id?):
            guard let sql = texts[id] else {
                throw SQLFailure(
                    message: "SQL text \(id) does not exist", code: "SQL_ID_NOT_FOUND")
            }
            return sql
        case (nil, nil):
            throw SQLFailure(
                message: "neither sql nor sql_id is given", code: "SQL_NO_STATEMENT")
        case (_?, _?):
            throw SQLFailure(
                message: "both sql and sql_id are given", code: "SQL_MANY_STATEMENTS")
        }
    }
}
