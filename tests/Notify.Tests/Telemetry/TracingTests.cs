using System.Collections.Concurrent;
using System.Diagnostics;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Telemetry;

namespace Notify.Tests.Telemetry;

/// <summary>One trace from the publisher's span to the push service's answer.</summary>
public sealed class TracingTests : IDisposable
{
    private readonly ConcurrentQueue<Activity> _spans = new();
    private readonly ActivityListener _listener;
    private readonly ActivitySource _publisher = new("publisher");

    public TracingTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is NotifyTracing.SourceName or "MassTransit" or "publisher",
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _spans.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _listener.Dispose();
        _publisher.Dispose();
    }

    [Fact]
    public async Task Each_attempt_is_a_span_in_the_publishers_trace_retries_and_those_that_waited_behind_too()
    {
        await using var service = await NotifyService.StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 503, Times = 1 });

        var messages = new List<(Guid Id, ActivityTraceId Trace)>();
        foreach (var title in new[] { "first", "second", "third" })
        {
            Activity.Current = null;
            using var publishing = _publisher.StartActivity("publish")!;
            var message = new MessagePosted { MessageId = Guid.NewGuid(), ConversationId = "room", RecipientIds = ["ada"], Title = title };
            messages.Add((message.MessageId, publishing.TraceId));
            await service.Services.GetRequiredService<IBus>().Publish(message, Cancellation);
        }

        foreach (var (id, _) in messages)
        {
            await service.SettledAfterWaitsAsync(id, 1);
        }

        Assert.All(messages, message =>
        {
            var posts = _spans.Where(span => span is { OperationName: "POST", Source.Name: NotifyTracing.SourceName } && message.Id.Equals(span.GetTagItem("notify.message.id"))).ToList();
            Assert.Equal(message == messages[0] ? ["retry_later", "accepted"] : ["accepted"], posts.Select(span => span.GetTagItem("notify.outcome")));
            Assert.All(posts, span => Assert.Equal(message.Trace, span.TraceId));
            Assert.All(posts, span => Assert.Equal(service.Push.Url.Authority, span.GetTagItem("server.address")));
        });
        Assert.Equal(ActivityStatusCode.Error, _spans.First(span => "retry_later".Equals(span.GetTagItem("notify.outcome"))).Status);
    }

    [Fact]
    public async Task What_its_publisher_did_not_sample_stays_unsampled_over_a_wait()
    {
        // Nothing listens there; the default is to sample what its parent does, and what has none.
        _listener.Dispose();
        await using var service = await NotifyService.StartAsync("--OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9");
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 503, Times = 1 });
        var recorded = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener { ShouldListenTo = source => source.Name == NotifyTracing.SourceName, ActivityStopped = recorded.Enqueue };
        ActivitySource.AddActivityListener(listener);

        var messages = new[] { Guid.NewGuid(), Guid.NewGuid() };
        foreach (var id in messages)
        {
            using var unsampled = new Activity("publish").SetParentId(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.None).Start();
            await service.Services.GetRequiredService<IBus>().Publish(new MessagePosted { MessageId = id, ConversationId = "room", RecipientIds = ["ada"], Title = "Hello" }, Cancellation);
        }

        foreach (var id in messages)
        {
            await service.SettledAfterWaitsAsync(id, 1);
        }

        var traced = Guid.NewGuid();
        Activity.Current = null;
        await service.Services.GetRequiredService<IBus>().Publish(new MessagePosted { MessageId = traced, RecipientIds = ["ada"], Title = "Hello" }, Cancellation);
        await service.SettledAfterWaitsAsync(traced, 1);
        await Eventually.TrueAsync(() => recorded.Any(span => span.Recorded && traced.Equals(span.GetTagItem("notify.message.id"))));
        Assert.DoesNotContain(recorded, span => span.Recorded && messages.Any(id => id.Equals(span.GetTagItem("notify.message.id"))));
    }

    [Fact]
    public async Task No_span_holds_an_endpoint_or_a_key()
    {
        await using var service = await NotifyService.StartAsync("--Notify:Sending:MaxAttempts=1");
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        service.Push.Faults.Add(new PushFault { Status = 503, Times = 1 });
        foreach (var _ in Enumerable.Range(0, 2))
        {
            var id = Guid.NewGuid();
            await service.PostAsync(new { messageId = id, recipientIds = new[] { "ada" }, title = "Hello" });
            await service.SettledDeliveriesAsync(id, 1);
        }

        var texts = _spans.SelectMany(span => span.TagObjects.Select(tag => $"{tag.Value}").Append(span.DisplayName).Append(span.StatusDescription ?? "").Concat(span.Baggage.Select(item => item.Value ?? ""))).ToList();
        Assert.NotEmpty(texts);
        Assert.All(
            [subscription.Endpoint, new Uri(subscription.Endpoint).AbsolutePath, subscription.P256dh, subscription.Auth],
            secret => Assert.DoesNotContain(texts, text => text.Contains(secret, StringComparison.Ordinal)));
    }
}
