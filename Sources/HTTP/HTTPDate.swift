/// The Date field's form: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
package enum HTTPDate {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// - Parameter secondsSince1970: in UTC, not negative. The caller reads the clock, and keeps
    ///   the text for as long as the second lasts.
    package static func text(secondsSince1970: Int) -> String {
        precondition(secondsSince1970 >= 0)
        let (days, second) = secondsSince1970.quotientAndRemainder(dividingBy: 86_400)
        // 1 January 1970 was a Thursday.
        let (year, month, day) = civilDate(daysSince1970: days)
        let time =
            "\(padded(second / 3600)):\(padded(second / 60 % 60)):\(padded(second % 60))"
        return "\(weekdays[days % 7]), \(padded(day)) \(months[month - 1]) \(year) \(time) GMT"
    }

    private static func padded(_ number: Int) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }

    /// Counts in years that begin on 1 March, so that the leap day is a year's last day, and in
    /// periods of 400 years (146,097 days), after which the calendar repeats.
    private static func civilDate(daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
        let daysSinceMarch0 = daysSince1970 + 719_468
        let (period, dayOfPeriod) = daysSinceMarch0.quotientAndRemainder(dividingBy: 146_097)
        let yearOfPeriod =
            (dayOfPeriod - dayOfPeriod / 1_460 + dayOfPeriod / 36_524 - dayOfPeriod / 146_096) / 365
        let dayOfYear =
            dayOfPeriod - (365 * yearOfPeriod + yearOfPeriod / 4 - yearOfPeriod / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = period * 400 + yearOfPeriod + (month <= 2 ? 1 : 0)
        return (year, month, day)
    }
}
