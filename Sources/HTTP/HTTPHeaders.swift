/// Header fields in the order they came, names in lower case.
package struct HTTPHeaders: Sendable {
    package private(set) var fields: [(name: String, value: String)] = []

    package init() {}

    /// `name` is lower-cased here.
    package mutating func append(name: String, value: String) {
        fields.append((name.lowercased(), value))
    }

    /// For the decoder, which lower-cases the bytes before it makes a string of them.
    mutating func append(lowercasedName name: String, value: String) {
        fields.append((name, value))
    }

    /// Replaces the value of the only field of that name, which must exist.
    mutating func replaceValue(of name: String, with value: String) {
        guard let index = fields.firstIndex(where: { $0.name == name }) else {
            preconditionFailure("the field is there: the caller checked it")
        }
        fields[index].value = value
    }

    /// The first field of that name, which must be in lower case.
    package subscript(name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    package func values(of name: String) -> [String] {
        fields.filter { $0.name == name }.map(\.value)
    }
}
