/// One request in a pipeline.
package enum StreamRequest: Sendable, Equatable {
    case execute(Statement)
    case batch(Batch)
    case sequence(SQLText)
    case describe(SQLText)
    case storeSQL(id: Int32, sql: String)
    case closeSQL(id: Int32)
    case getAutocommit
    case close
    /// To be answered with an error of its own: the requests around it are still carried out.
    case unknown(type: String)

    init(_ element: JSONView, _ texts: inout SQLTextMemo) throws(PipelineDecodingError) {
        try element.requireObject()
        let type = try element.required("type") { (type) throws(PipelineDecodingError) in
            try type.decodeString()
        }
        switch type {
        case "execute":
            let statement = try element.required("stmt") { (stmt) throws(PipelineDecodingError) in
                try Statement(stmt, &texts)
            }
            self = .execute(statement)
        case "batch":
            let batch = try element.required("batch") { (batch) throws(PipelineDecodingError) in
                try Batch(batch, &texts)
            }
            self = .batch(batch)
        case "sequence": self = .sequence(try SQLText(element, &texts))
        case "describe": self = .describe(try SQLText(element, &texts))
        case "store_sql":
            let sql = try element.required("sql") { (sql) throws(PipelineDecodingError) in
                try sql.decodeString()
            }
            self = .storeSQL(id: try Self.sqlID(of: element), sql: sql)
        case "close_sql": self = .closeSQL(id: try Self.sqlID(of: element))
        case "get_autocommit": self = .getAutocommit
        case "close": self = .close
        default: self = .unknown(type: type)
        }
    }

    private static func sqlID(of element: JSONView) throws(PipelineDecodingError) -> Int32 {
        try element.required("sql_id") { (id) throws(PipelineDecodingError) in
            try id.decodeInt32()
        }
    }
}
