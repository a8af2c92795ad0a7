internal import WireProtocol

/// SQL texts that a stream stored under ids of its client's choice, to be named instead of repeated.
struct StoredSQL: Sendable {
    private var texts: [Int32: String] = [:]
    /// Bytes of all texts.
    private var size = 0
    private let countLimit: Int
    private let sizeLimit: Int

    init(limits: SQLLimits) {
        countLimit = limits.storedSQLCount
        sizeLimit = limits.storedSQLSize
    }

    var isEmpty: Bool { texts.isEmpty }

    mutating func store(_ sql: String, id: Int32) throws(SQLFailure) {
        guard texts[id] == nil else {
            throw SQLFailure(
                message: "SQL text \(id) already exists on the stream", code: "SQL_ID_EXISTS")
        }
        guard texts.count < countLimit else {
            throw SQLFailure(
                message: "the stream already stores \(countLimit) SQL texts",
                code: "SQL_STORE_TOO_MANY")
        }
        guard size + sql.utf8.count <= sizeLimit else {
            throw SQLFailure(
                message: "a stream stores at most \(sizeLimit) bytes of SQL",
                code: "SQL_STORE_TOO_LARGE")
        }
        size += sql.utf8.count
        texts[id] = sql
    }

    mutating func close(id: Int32) {
        if let text = texts.removeValue(forKey: id) { size -= text.utf8.count }
    }

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
