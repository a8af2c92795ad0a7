internal import CSimdJSON

/// A value in a `JSONDocument`; keeps the document alive. Each accessor answers nil for a value of
/// another kind: text is never taken for a number, nor the other way round.
@safe package struct JSONElement {
    package enum Kind {
        case null, bool, number, string, array, object
    }

    // SAFETY: points into `document`, which is alive as long as this is.
    private let view: JSONView
    private let document: JSONDocument

    init(_ view: JSONView, in document: JSONDocument) {
        self.view = view
        self.document = document
    }

    package var kind: Kind { view.kind }
    package var isNull: Bool { view.isNull }
    package var bool: Bool? { view.bool }
    /// A number that was written without fraction and exponent and fits.
    package var int64: Int64? { view.int64 }
    /// Any number, rounded to the nearest double.
    package var double: Double? { view.double }
    /// May hold NUL characters.
    package var string: String? { withExtendedLifetime(document) { view.string } }

    /// The bytes of a string, for the time of the call.
    package func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        defer { withExtendedLifetime(document) {} }
        guard let bytes = unsafe view.utf8 else { return nil }
        return try unsafe body(bytes)
    }

    /// Whether this is the string `text`; allocates nothing.
    package func equals(_ text: StaticString) -> Bool {
        withExtendedLifetime(document) { view.equals(text) }
    }

    /// The value of an object's key; of the first, where the key is there twice. Nil without the
    /// key and for anything but an object.
    package subscript(_ key: StaticString) -> JSONElement? {
        view[key].map { JSONElement($0, in: document) }
    }

    /// The values of an array; nil for anything else.
    package var array: JSONArray? { view.values.map { JSONArray($0, in: document) } }

    /// Hands the value to a decoder.
    func withView<Result, Failure: Error>(
        _ body: (JSONView) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(document) {} }
        return try body(view)
    }
}
