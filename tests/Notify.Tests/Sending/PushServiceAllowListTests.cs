using Microsoft.Extensions.Options;
using Notify.Sending;

namespace Notify.Tests.Sending;

public sealed class PushServiceAllowListTests
{
    [Theory]
    [InlineData("https://fcm.googleapis.com/fcm/send/abc")]
    [InlineData("https://updates.push.services.mozilla.com/wpush/v2/abc")]
    [InlineData("https://web.push.apple.com/abc")]
    [InlineData("https://db5p.notify.windows.com/w/?token=abc")]
    [InlineData("https://FCM.googleapis.com/fcm/send/abc")]
    [InlineData("HTTPS://WEB.PUSH.APPLE.COM:443/abc")]
    public void The_four_vendors_are_allowed(string endpoint) => Assert.Null(List().Refuses(new Uri(endpoint)));

    [Theory]
    [InlineData("http://fcm.googleapis.com/fcm/send/abc")]
    [InlineData("https://fcm.googleapis.com:8443/fcm/send/abc")]
    [InlineData("https://fcm.googleapis.com.evil.example/abc")]
    [InlineData("https://evil.example/fcm.googleapis.com")]
    [InlineData("https://evil.example#fcm.googleapis.com")]
    [InlineData("https://fcm.googleapis.com@evil.example/")]
    [InlineData("https://notify.windows.com/w")]
    [InlineData("https://xnotify.windows.com/w")]
    [InlineData("https://127.0.0.1/")]
    [InlineData("https://2130706433/")]
    [InlineData("https://[::1]/")]
    [InlineData("https://[::ffff:169.254.169.254]/")]
    [InlineData("https://169.254.169.254/latest/meta-data")]
    [InlineData("https://localhost/")]
    [InlineData("https://fcm.googleapis.com./abc")]
    [InlineData("https://web.push.apple.com./abc")]
    [InlineData("https://notpush.apple.com/abc")]
    [InlineData("https://push.apple.com/abc")]
    [InlineData("https://evilpush.apple.com.example/abc")]
    [InlineData("https://web.push.apple.com.example/abc")]
    [InlineData("https://web.push.apple.com@evil.example/abc")]
    [InlineData("https://web.push.apple.com:443@evil.example/abc")]
    [InlineData("https://evil.example?.push.apple.com/abc")]
    [InlineData("https://fcm.g\u043eogleapis.com/abc")]
    [InlineData("https://fcm.xn--gogleapis-sbj.com/abc")]
    [InlineData("https://0177.0.0.1/")]
    [InlineData("https://0x7f.0.0.1/")]
    [InlineData("https://0x7f000001/")]
    [InlineData("https://017700000001/")]
    [InlineData("https://127.1/")]
    [InlineData("https://3232235777/")]
    [InlineData("https://[fd00::1]/")]
    [InlineData("https://[64:ff9b::7f00:1]/")]
    [InlineData("https://[fe80::1%25eth0]/")]
    [InlineData("ftp://fcm.googleapis.com/abc")]
    [InlineData("file:///etc/passwd")]
    public void Everything_else_is_refused(string endpoint) => Assert.NotNull(List().Refuses(new Uri(endpoint)));

    [Fact]
    public void A_list_of_the_operator_replaces_the_vendors()
    {
        var list = List("push.example.com", "*.example.org");

        Assert.Null(list.Refuses(new Uri("https://push.example.com/a")));
        Assert.Null(list.Refuses(new Uri("https://a.b.example.org/a")));
        Assert.NotNull(list.Refuses(new Uri("https://example.org/a")));
        Assert.NotNull(list.Refuses(new Uri("https://fcm.googleapis.com/a")));
    }

    [Fact]
    public void A_host_beyond_ASCII_is_known_by_either_of_its_names()
    {
        var list = List("push.b\u00fccher.example", "*.B\u00dcCHER.example");

        Assert.Null(list.Refuses(new Uri("https://push.xn--bcher-kva.example/a")));
        Assert.Null(list.Refuses(new Uri("https://a.xn--bcher-kva.example/a")));
        Assert.NotNull(list.Refuses(new Uri("https://push.bucher.example/a")));
    }

    [Fact]
    public void An_allowed_origin_is_allowed_as_it_stands_and_no_other_port_of_it()
    {
        var list = List();
        list.AllowOrigin(new Uri("http://localhost:5081"));

        Assert.Null(list.Refuses(new Uri("http://localhost:5081/push/abc")));
        Assert.NotNull(list.Refuses(new Uri("http://localhost:5082/push/abc")));
        Assert.NotNull(list.Refuses(new Uri("https://localhost:5081/push/abc")));
        Assert.True(list.IsAllowedOriginHost("localhost", 5081));
        Assert.False(list.IsAllowedOriginHost("localhost", 80));
    }

    [Theory]
    [InlineData("push.example.com", false, true)]
    [InlineData("*.example.com", false, true)]
    [InlineData("http://localhost:5081", true, true)]
    [InlineData("http://localhost:5081", false, false)]
    [InlineData("http://localhost:5081/path", true, false)]
    [InlineData("*", false, false)]
    [InlineData("*.com*", false, false)]
    [InlineData("10.0.0.1", false, false)]
    [InlineData("push.example.com.", false, false)]
    [InlineData("https://push.example.com", false, false)]
    [InlineData("push.example.com/path", false, false)]
    [InlineData("", false, false)]
    public void An_entry_is_checked_at_start(string entry, bool isDevelopment, bool isGood) => Assert.Equal(isGood, PushServiceAllowList.FaultOf(entry, isDevelopment) is null);

    private static PushServiceAllowList List(params string[] allowed)
    {
        var options = new PushServicesOptions();
        foreach (var entry in allowed)
        {
            options.Allowed.Add(entry);
        }

        return new PushServiceAllowList(Options.Create(options));
    }
}
