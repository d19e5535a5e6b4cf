using System.Net;
using Notify.IntegrationTests.Brokers;
using Notify.Tests;

namespace Notify.IntegrationTests.RabbitMq;

public sealed class ReconnectTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>MassTransit tells of each wait that grows with every try and never shrinks: "Retrying 00:00:06".</summary>
    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task After_a_long_outage_the_next_one_costs_no_more_than_the_first(RabbitMqVersion version)
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            await using var broker = await RabbitMqBroker.StartAsync(version, Cancellation);
            await using var worker = await WorkerProcess.StartAsync(
                ("Notify__Transport", "RabbitMq"),
                ("ConnectionStrings__RabbitMq", $"{broker.AmqpUri}"),
                ("ConnectionStrings__Notify", $"Data Source={folder.FullName}/notify.db"),
                ("Notify__LocalPushService__Url", "http://localhost:0"),
                ("Logging__LogLevel__MassTransit", "Information"));
            using var http = new HttpClient { BaseAddress = worker.Url };

            foreach (var tries in new[] { 5, 1 })
            {
                var before = Failed();
                await broker.KillAsync();
                await Eventually.TrueAsync(() => Failed() >= before + tries);
                await broker.StartAgainAsync(Cancellation);
                await Eventually.GetAsync(() => http.GetAsync("health/ready", Cancellation), answer => answer.StatusCode == HttpStatusCode.OK);
            }

            Assert.DoesNotContain(worker.Lines, line => line.Contains("Retrying 00:", StringComparison.Ordinal));

            int Failed() => worker.Lines.Count(line => line.Contains("Connection Failed", StringComparison.Ordinal));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_broker_that_refuses_the_password_for_a_while_is_found_again()
    {
        const string Name = "worker";
        await using var broker = await RabbitMqBroker.StartAsync(RabbitMqVersion.V4, Cancellation);
        await broker.Management.CreateUserAsync(Name, "s3cret", "/");
        await using var service = await RabbitMqService.StartAsync(new UriBuilder(broker.AmqpUri) { UserName = Name, Password = "s3cret" }.Uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        using var http = new HttpClient { BaseAddress = service.Url };
        await Eventually.GetAsync(() => http.GetAsync("health/ready", Cancellation), answer => answer.StatusCode == HttpStatusCode.OK);

        await broker.Management.CreateUserAsync(Name, "another", "/");
        await Eventually.GetAsync(() => broker.Management.CloseConnectionsAsync("/"), closed => closed > 0);
        await Eventually.TrueAsync(() => service.Logs.Lines.Any(line => line.Contains("refuses the user or the password", StringComparison.Ordinal)));
        await broker.Management.CreateUserAsync(Name, "s3cret", "/");

        await Eventually.GetAsync(() => http.GetAsync("health/ready", Cancellation), answer => answer.StatusCode == HttpStatusCode.OK);
        await service.PostAsync(new Contracts.MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "back" });
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).SequenceEqual(["back"]));
    }
}
