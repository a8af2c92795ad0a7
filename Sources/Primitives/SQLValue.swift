/// A value as SQLite stores it and as SQL clients send it.
package enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    /// Never a NaN when read from SQLite; clients send numbers that are not finite as null.
    case float(Double)
    /// May hold NUL characters.
    case text(String)
    case blob([UInt8])
}
