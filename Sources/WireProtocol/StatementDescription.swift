/// What can be said of a statement without carrying it out.
package struct StatementDescription: Sendable, Equatable {
    /// Names with their `?`, `:`, `@` or `$`, the first for parameter 1; nil for nameless ones.
    package var parameterNames: [String?]
    package var columns: [ResultColumn]
    package var isExplain: Bool
    package var isReadOnly: Bool

    package init(
        parameterNames: [String?], columns: [ResultColumn], isExplain: Bool, isReadOnly: Bool
    ) {
        self.parameterNames = parameterNames
        self.columns = columns
        self.isExplain = isExplain
        self.isReadOnly = isReadOnly
    }
}
