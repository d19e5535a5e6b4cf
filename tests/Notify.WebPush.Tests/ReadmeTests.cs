using System.Text;
using Microsoft.AspNetCore.Http;
using Notify.Tests;
using Notify.WebPush.Tests.Support;

namespace Notify.WebPush.Tests;

public sealed class ReadmeTests
{
    [Fact]
    public async Task The_lines_of_the_README_send_a_push_message()
    {
        await using var service = await FakePushService.StartAsync(context =>
        {
            context.Response.StatusCode = StatusCodes.Status201Created;
            return Task.CompletedTask;
        });
        var browser = new UserAgent();
        using var pair = VapidKeyPair.Generate();
        var (publicKey, privateKey) = (pair.PublicKey, pair.PrivateKey);
        var subscriptionJson = Encoding.UTF8.GetBytes($$$"""{"endpoint":"{{{service.Origin}}}/push/1","keys":{"p256dh":"{{{browser.P256dh}}}","auth":"{{{browser.Auth}}}"}}""");

        // Who reads a README has no token to pass.
#pragma warning disable xUnit1051
        using var keys = VapidKeyPair.Import(publicKey, privateKey);
        using var http = new HttpClient(PushServiceClient.CreateHandler());
        var client = new PushServiceClient(http, new VapidTokens("mailto:push@example.com", TimeProvider.System), TimeProvider.System);
        var message = new PushMessage("Hello"u8.ToArray()) { TimeToLive = TimeSpan.FromHours(12) };
        var outcome = await client.SendAsync(PushSubscription.Parse(subscriptionJson), message, keys);
#pragma warning restore xUnit1051

        Assert.IsType<PushOutcome.Accepted>(outcome);
        Assert.Equal("Hello", Encoding.UTF8.GetString(browser.Decrypt(service.Requests.Single().Body)));
        Readme.CheckCode("src/Notify.WebPush/README.md", "tests/Notify.WebPush.Tests/ReadmeTests.cs");
    }
}
