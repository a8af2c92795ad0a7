/// A column of a statement's rows, in the answer to an execution or a description.
package struct ResultColumn: Sendable, Equatable {
    package var name: String
    /// The declared type of the table's column that this one comes from; nil for expressions.
    package var declaredType: String?

    package init(name: String, declaredType: String? = nil) {
        self.name = name
        self.declaredType = declaredType
    }
}
