namespace Notify.WebPush.Tests;

public sealed class VapidCheckTests : IDisposable
{
    private readonly VapidKeyPair _keys = VapidKeyPair.Generate();

    public void Dispose() => _keys.Dispose();

    [Theory]
    [InlineData("mailto:push@example.com")]
    [InlineData("MAILTO:push+web@example.com")]
    [InlineData("mailto:push@example.com?subject=push")]
    [InlineData("https://example.com/contact")]
    [InlineData("https://localhost.example.com")]
    [InlineData("mailto:local@mylocal")]
    public void A_plain_subject_is_taken_by_all_four(string subject)
    {
        var findings = VapidCheck.Run(_keys, subject);

        Assert.Equal(["Google FCM", "Mozilla autopush", "Apple", "Microsoft WNS"], findings.Select(f => f.Vendor));
        Assert.All(findings, f => Assert.True(f.Accepted));
        Assert.All(findings, f => Assert.Null(f.Reason));
    }

    [Theory]
    [InlineData("mailto:push@localhost", "localhost")]
    [InlineData("https://localhost", "localhost")]
    [InlineData("https://localhost./", "localhost")]
    [InlineData("https://LOCALHOST:5080/contact", "localhost")]
    [InlineData("mailto:push@printer.local", ".local")]
    [InlineData("https://printer.local/", ".local")]
    [InlineData("mailto: push@example.com", "space")]
    [InlineData("mailto:Push Team <push@example.com>", "space")]
    [InlineData("mailto:<push@example.com>", "angle brackets")]
    public void A_subject_that_Apple_alone_refuses_is_told_with_the_reason(string subject, string expectedInReason)
    {
        var findings = VapidCheck.Run(_keys, subject);

        Assert.Equal(["Apple"], findings.Where(f => !f.Accepted).Select(f => f.Vendor));
        Assert.Contains(expectedInReason, findings.Single(f => !f.Accepted).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("push@example.com")]
    [InlineData("http://example.com")]
    [InlineData("mailto:")]
    public void What_is_no_contact_is_refused_by_all_four(string subject) =>
        Assert.All(VapidCheck.Run(_keys, subject), f =>
        {
            Assert.False(f.Accepted);
            Assert.Contains("mailto:", f.Reason, StringComparison.Ordinal);
        });
}
