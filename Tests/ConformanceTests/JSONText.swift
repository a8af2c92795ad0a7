import Foundation

/// Pieces of pipeline requests.
enum JSONText {
    /// A JSON string.
    static func string(_ text: String) -> String {
        let data = try? JSONSerialization.data(withJSONObject: [text])
        return String(String(decoding: data ?? Data(), as: UTF8.self).dropFirst().dropLast())
    }

    /// A statement; arguments are values in their JSON form.
    static func statement(_ sql: String, _ arguments: [String] = []) -> String {
        #"{"sql":\#(string(sql)),"args":[\#(arguments.joined(separator: ","))]}"#
    }

    /// A pipeline that executes one statement.
    static func execute(_ sql: String, _ arguments: [String] = []) -> String {
        #"{"requests":[{"type":"execute","stmt":\#(statement(sql, arguments))}]}"#
    }

    /// A pipeline of one batch; steps in their JSON form.
    static func batch(_ steps: [String]) -> String {
        let list = steps.joined(separator: ",")
        return #"{"baton":null,"requests":[{"type":"batch","batch":{"steps":[\#(list)]}}]}"#
    }

    /// A step of a batch that is carried out inside a transaction only, as those of pushes are.
    static func stepInTransaction(_ sql: String, _ arguments: [String] = []) -> String {
        #"{"condition":{"type":"not","cond":{"type":"is_autocommit"}},"#
            + #""stmt":\#(statement(sql, arguments))}"#
    }
}
