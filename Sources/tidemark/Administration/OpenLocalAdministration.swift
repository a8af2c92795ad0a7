/// Opens the data directory of a stopped server.
func openLocalAdministration(_ dataDirectory: String) throws -> any DatabaseAdministration {
    throw CommandFailure(
        .unavailable, "this build cannot open \(dataDirectory)", hint: "Use --admin URL.")
}
