using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Notify.LocalPushService;
using Notify.Sending;
using Notify.Tests.Authentication;
using Notify.WebPush;

namespace Notify.Tests;

public sealed class SecretsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Settings_may_come_from_files_of_a_folder()
    {
        using var pair = VapidKeyPair.Generate();
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            foreach (var (name, value) in new[]
            {
                ("Notify__Vapid__PublicKey", pair.PublicKey), ("Notify__Vapid__PrivateKey", pair.PrivateKey + "\n"), ("Notify__Auth__SigningKey", Tokens.SigningKey + "\n"),
                ("Notify__Encryption__Key", Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) + "\n"),
            })
            {
                await File.WriteAllTextAsync(Path.Combine(folder.FullName, name), value, Cancellation);
            }

            await using var service = await NotifyService.StartAsync(
                "--environment=Production", "--Notify:Vapid:Subject=mailto:ops@example.com", "--Notify:Auth:Audience=notify", $"--Notify:SecretsDirectory={folder.FullName}");

            Assert.Equal(pair.PublicKey, service.Services.GetRequiredService<VapidKeyRing>().Current.PublicKey);
            using var http = ClientOf(service, Tokens.Signed());
            Assert.Equal("[]", await http.GetStringAsync("api/subscriptions", Cancellation));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Nothing_secret_reaches_a_log_at_any_level()
    {
        using var pair = VapidKeyPair.Generate();
        var encryptionKey = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        using var logs = new LogCollector(LogLevel.Trace);
        var token = Tokens.Signed(token => token.Subject = Tokens.Claims(("sub", "ada"), ("scope", "notify.publish")));
        var (badToken, expiredToken) = (token[..^4] + "AAAA", Tokens.Signed(Tokens.Between(-600, -300)));
        string endpoint, p256dh, auth;
        await using (var service = await NotifyService.StartAsync(
            null,
            builder => builder.Logging.AddProvider(logs).SetMinimumLevel(LogLevel.Trace),
            $"--Notify:Vapid:PublicKey={pair.PublicKey}", $"--Notify:Vapid:PrivateKey={pair.PrivateKey}", $"--Notify:Auth:SigningKey={Tokens.SigningKey}", "--Notify:Auth:Audience=notify",
            $"--Notify:Encryption:Key={encryptionKey}", "--Logging:LogLevel:Default=Trace", "--Logging:LogLevel:MassTransit=Trace", "--Logging:LogLevel:Microsoft.AspNetCore=Trace",
            "--Logging:LogLevel:Microsoft.EntityFrameworkCore=Trace", "--Logging:Notify.Tests.LogCollector:LogLevel:Default=Trace", "--Logging:Notify.Tests.LogCollector:LogLevel:Microsoft=Trace",
            "--Notify:Sending:MaxAttempts=2", "--Notify:Sending:RetryDelay=00:00:00.01"))
        {
            await using var browser = await Browser.OpenAsync(service);
            var subscription = await browser.Agent.SubscribeAsync(pair.PublicKey, Cancellation);
            (endpoint, p256dh, auth) = (subscription.Endpoint, subscription.P256dh, subscription.Auth);
            using var http = ClientOf(service, token);

            // Subscribed, badly subscribed, not let in.
            await NotifyService.RegisterAsync(http, subscription.ToJson());
            await PostAsync(http, "api/subscriptions", subscription.ToJson().Replace("{", "{{", StringComparison.Ordinal));
            await PostAsync(http, "api/subscriptions", subscription.ToJson().Replace("http://127.0.0.1", "https://127.0.0.1", StringComparison.Ordinal));
            await PostAsync(http, "api/messages", subscription.ToJson());
            foreach (var refused in new[] { badToken, expiredToken })
            {
                using var stranger = ClientOf(service, refused);
                await PostAsync(stranger, "api/subscriptions", subscription.ToJson());
            }

            // Pushed, refused, retried in vain, cut off, and gone.
            service.Push.Faults.Add(new PushFault { Status = 403 });
            service.Push.Faults.Add(new PushFault { Status = 503, Times = 2 });
            service.Push.Faults.Add(new PushFault { Reset = true, Times = 2 });
            for (var i = 0; i < 4; i++)
            {
                await PublishAsync();
            }

            using var removed = await http.DeleteAsync($"api/subscriptions?endpoint={Uri.EscapeDataString(endpoint)}", Cancellation);
            Assert.True(removed.IsSuccessStatusCode);
            await NotifyService.RegisterAsync(http, subscription.ToJson());
            service.Push.Faults.Add(new PushFault { Gone = true });
            await PublishAsync();

            async Task PublishAsync()
            {
                var id = Guid.NewGuid();
                await PostAsync(http, "api/messages", $$"""{"messageId":"{{id}}","recipientIds":["ada"],"title":"Hello"}""");
                await Eventually.GetAsync(() => http.GetStringAsync($"api/messages/{id}/deliveries", Cancellation), json => json.Length > 2 && !json.Contains("retrying", StringComparison.Ordinal));
            }
        }

        Assert.Contains(logs.Lines, line => line.StartsWith("Debug Microsoft.EntityFrameworkCore", StringComparison.Ordinal));
        Assert.Contains(logs.Lines, line => line.StartsWith("Debug MassTransit", StringComparison.Ordinal));
        string[] secrets =
        [
            pair.PrivateKey, Tokens.SigningKey, encryptionKey, p256dh, auth, endpoint, new Uri(endpoint).AbsolutePath, endpoint[(endpoint.LastIndexOf('/') + 1)..], Uri.EscapeDataString(endpoint),
            .. new[] { token, badToken, expiredToken }.SelectMany(each => new[] { each.Split('.')[1], each.Split('.')[2] }),
        ];
        Assert.All(secrets, secret => Assert.DoesNotContain(logs.Lines, line => line.Contains(secret, StringComparison.Ordinal)));
    }

    private static HttpClient ClientOf(NotifyService service, string token)
    {
        var http = new HttpClient { BaseAddress = service.Url };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return http;
    }

    private static async Task PostAsync(HttpClient http, string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(path, content, Cancellation);
    }
}
