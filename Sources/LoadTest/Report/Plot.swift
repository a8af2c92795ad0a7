/// A line plot as SVG, in the size and the colours of the reports.
struct Plot {
    struct Line {
        let name: String
        /// Ascending in x.
        let points: [(x: Double, y: Double)]
    }

    /// A mark on an axis.
    struct Tick {
        let value: Double
        let text: String
    }

    static let colours = ["#1b6ca8", "#c8553d", "#588b3a", "#7a4fa3", "#b8860b", "#3a7d7c"]

    private static let width = 720.0
    private static let height = 300.0
    private static let left = 78.0
    private static let right = 14.0
    private static let top = 12.0
    private static let bottom = 44.0

    let xLabel: String
    let yLabel: String
    let xTicks: [Tick]
    let yTicks: [Tick]
    let xRange: ClosedRange<Double>
    let yRange: ClosedRange<Double>
    let lines: [Line]

    var svg: String {
        var parts = [
            #"<svg viewBox="0 0 720 300" width="720" height="300" role="img">"#,
            #"<rect x="78" y="12" width="628" height="244" fill="none" stroke="silver"/>"#,
        ]
        for tick in xTicks where xRange.contains(tick.value) {
            let x = Self.text(xPlace(tick.value))
            parts.append(#"<line x1="\#(x)" x2="\#(x)" y1="12" y2="256" stroke="gainsboro"/>"#)
            parts.append(
                #"<text x="\#(x)" y="272" text-anchor="middle">\#(HTMLText.escape(tick.text))</text>"#
            )
        }
        for tick in yTicks where yRange.contains(tick.value) {
            let y = Self.text(yPlace(tick.value))
            parts.append(#"<line x1="78" x2="706" y1="\#(y)" y2="\#(y)" stroke="gainsboro"/>"#)
            parts.append(
                #"<text x="72" y="\#(y)" dy="4" text-anchor="end">\#(HTMLText.escape(tick.text))</text>"#
            )
        }
        parts.append(
            #"<text x="392" y="292" text-anchor="middle">\#(HTMLText.escape(xLabel))</text>"#)
        parts.append(
            #"<text transform="translate(12 134) rotate(-90)" text-anchor="middle">"#
                + "\(HTMLText.escape(yLabel))</text>")
        for (index, line) in lines.enumerated() { parts.append(polyline(line, index)) }
        return parts.joined(separator: "\n") + "\n</svg>"
    }

    private func polyline(_ line: Line, _ index: Int) -> String {
        let places = line.points.map {
            "\(Self.text(xPlace($0.x))),\(Self.text(yPlace($0.y)))"
        }
        let colour = Self.colours[index % Self.colours.count]
        return
            #"<polyline fill="none" stroke-width="1.6" stroke="\#(colour)" points="\#(places.joined(separator: " "))"><title>\#(HTMLText.escape(line.name))</title></polyline>"#
    }

    private func xPlace(_ value: Double) -> Double {
        Self.left + share(value, of: xRange) * (Self.width - Self.left - Self.right)
    }

    private func yPlace(_ value: Double) -> Double {
        Self.height - Self.bottom - share(value, of: yRange)
            * (Self.height - Self.top - Self.bottom)
    }

    private func share(_ value: Double, of range: ClosedRange<Double>) -> Double {
        let length = range.upperBound - range.lowerBound
        return length > 0 ? min(max((value - range.lowerBound) / length, 0), 1) : 0
    }

    private static func text(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }
}
