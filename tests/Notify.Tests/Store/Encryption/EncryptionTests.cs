using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Sending;
using Notify.Store;
using Notify.Store.Encryption;
using Notify.Subscriptions;
using Notify.Tests.Commands;
using Subscription = Notify.Subscriptions.Subscription;

namespace Notify.Tests.Store.Encryption;

/// <summary>Secrets in the store, from the first start without a key to the rotation of one; run on each database.</summary>
public abstract class EncryptionTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-test-");
    private readonly string _old = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private readonly string _new = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private TestDatabase? _database;
    private LocalPushServer _push = null!;
    private LocalUserAgent _browser = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The store; SQLite if null.</summary>
    protected virtual Task<TestDatabase?> NewDatabaseAsync() => Task.FromResult<TestDatabase?>(null);

    public async ValueTask InitializeAsync()
    {
        _database = await NewDatabaseAsync() ?? new TestDatabase(StoreKind.Sqlite, $"Data Source={Path.Combine(_folder.FullName, "notify.db")}");
        _push = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, Cancellation);
        _browser = await LocalUserAgent.ConnectAsync(_push.Url, Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _browser.DisposeAsync();
        await _push.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_key_may_come_late_and_be_replaced_while_pushes_go_on()
    {
        LocalSubscription plain, early;
        string publicKey;
        await using (var service = await StartAsync())
        {
            plain = await SubscribeAsync(service);
            publicKey = service.Services.GetRequiredService<VapidKeyRing>().Current.PublicKey;
            Assert.Equal(plain.Auth, (await RowAsync(service, plain)).Auth);
        }

        await using (var service = await StartAsync($"--Notify:Encryption:Key={_old}"))
        {
            // The pair is the same and no longer plain; nor is what is registered from now on, or again.
            Assert.Equal(publicKey, service.Services.GetRequiredService<VapidKeyRing>().Current.PublicKey);
            early = await SubscribeAsync(service);
            AssertEncrypted(service, await RowAsync(service, early), early);
            await PushAsync(service, 2);
            var revision = (await RowAsync(service, plain)).Revision;
            await RegisterAsync(service, plain);
            var row = await RowAsync(service, plain);
            AssertEncrypted(service, row, plain);
            Assert.Equal(revision, row.Revision);
            await using var db = await OpenAsync(service);
            Assert.StartsWith("v1.", (await db.DevelopmentVapidKeys.SingleAsync(Cancellation)).PrivateKey, StringComparison.Ordinal);
        }

        string[] rotated = [$"--Notify:Encryption:Key={_new}", $"--Notify:Encryption:Previous:0={_old}"];
        await using (var service = await StartAsync(rotated))
        {
            await PushAsync(service, 2);
            Assert.False((await RowAsync(service, early)).IsEncryptedWith(service.Services.GetRequiredService<SecretCipher>()));
        }

        // Not before everything is under the new key may the old one go.
        Assert.Contains("Notify__Encryption__Previous__0", (await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync($"--Notify:Encryption:Key={_new}"))).Message, StringComparison.Ordinal);
        Assert.Contains("Encrypted 2 rows", await EncryptAsync(rotated), StringComparison.Ordinal);
        Assert.Contains("Encrypted 0 rows", await EncryptAsync(rotated), StringComparison.Ordinal);
        await using (var service = await StartAsync($"--Notify:Encryption:Key={_new}"))
        {
            Assert.Equal(publicKey, service.Services.GetRequiredService<VapidKeyRing>().Current.PublicKey);
            AssertEncrypted(service, await RowAsync(service, early), early);
            await PushAsync(service, 2);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_its_key_a_store_is_not_started_on_and_nothing_is_lost(bool hasAnother)
    {
        LocalSubscription subscription;
        await using (var service = await StartAsync($"--Notify:Encryption:Key={_old}"))
        {
            subscription = await SubscribeAsync(service);
        }

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(hasAnother ? [$"--Notify:Encryption:Key={_new}"] : []));

        Assert.Contains("Notify__Encryption__Key", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_new, refusal.Message, StringComparison.Ordinal);
        await using (var service = await StartAsync($"--Notify:Encryption:Key={_old}"))
        {
            AssertEncrypted(service, await RowAsync(service, subscription), subscription);
            await PushAsync(service, 1);
        }
    }

    [Fact]
    public async Task Workers_that_start_at_once_agree_on_the_keys()
    {
        await (await StartAsync()).DisposeAsync();
        var services = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => StartAsync($"--Notify:Encryption:Key={_old}")));

        Assert.Single(services.Select(service => service.Services.GetRequiredService<VapidKeyRing>().Current.PublicKey).Distinct());
        await using (var db = await OpenAsync(services[0]))
        {
            Assert.Equal([services[0].Services.GetRequiredService<SecretCipher>().CurrentKeyId!], await db.EncryptionKeys.Select(key => key.Id).ToListAsync(Cancellation));
        }

        foreach (var service in services)
        {
            await service.DisposeAsync();
        }
    }

    private Task<NotifyService> StartAsync(params string[] settings) =>
        NotifyService.StartAsync(_folder, null, [.. _database!.Settings, $"--Notify:LocalPushService:Url={_push.Url.GetLeftPart(UriPartial.Authority)}", .. settings]);

    private async Task<string> EncryptAsync(string[] settings)
    {
        var run = await NotifyProcess.RunAsync(new Dictionary<string, string>(), ["encrypt", .. _database!.Settings, .. settings]);
        Assert.True(run.ExitCode == 0, run.Output + run.Error);
        return run.Output;
    }

    private async Task<LocalSubscription> SubscribeAsync(NotifyService service) => (await service.SubscribeAsync(_browser, "ada")).Subscription;

    private static async Task RegisterAsync(NotifyService service, LocalSubscription subscription)
    {
        using var http = service.ClientOf("ada");
        Assert.False((await NotifyService.RegisterAsync(http, subscription.ToJson())).GetProperty("isNew").GetBoolean());
    }

    private static async Task PushAsync(NotifyService service, int count)
    {
        var message = new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "Hello" };
        await service.PostAsync(message);
        Assert.All(await service.SettledDeliveriesAsync(message.MessageId, count), row => Assert.Equal("accepted", row.GetProperty("state").GetString()));
    }

    private static async Task<NotifyDbContext> OpenAsync(NotifyService service) => await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation);

    private static async Task<Subscription> RowAsync(NotifyService service, LocalSubscription subscription)
    {
        var digest = EndpointDigests.OfText(subscription.Endpoint);
        await using var db = await OpenAsync(service);
        return await db.Subscriptions.AsNoTracking().SingleAsync(row => row.EndpointDigest == digest, Cancellation);
    }

    private static void AssertEncrypted(NotifyService service, Subscription row, LocalSubscription subscription)
    {
        var cipher = service.Services.GetRequiredService<SecretCipher>();
        Assert.True(row.IsEncryptedWith(cipher));
        Assert.StartsWith($"v1.{cipher.CurrentKeyId}.", row.Auth, StringComparison.Ordinal);
        Assert.StartsWith($"v1.{cipher.CurrentKeyId}.", row.P256dh, StringComparison.Ordinal);
        Assert.Equal((subscription.P256dh, subscription.Auth), row.ReadKeys(cipher));
    }
}
