using System.CommandLine;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Claims;
using System.Text;
using MassTransit;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Notify.Authentication;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Messaging.RabbitMq;

namespace Notify.Commands;

/// <summary><c>send</c>: publishes one MessagePosted on the configured bus.</summary>
/// <remarks>The in-memory bus lives inside the service's process, so there the message goes through the running service's API.</remarks>
internal static class SendCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    public static Command Create()
    {
        var user = new Option<string>("--user") { Description = "The recipient's user id.", Required = true };
        var title = new Option<string>("--title") { Description = "The notification's title.", Required = true };
        var body = new Option<string?>("--body") { Description = "The notification's text." };
        var url = new Option<string?>("--url") { Description = "Where a click leads." };
        var tag = new Option<string?>("--tag") { Description = "Replaces an earlier notification of the same tag." };
        var command = new Command("send", "Publishes one MessagePosted on the configured bus.") { user, title, body, url, tag }.TakesConfiguration();
        command.SetAction((arguments, cancellationToken) => RunAsync(
            NotifyApplication.CreateBuilder(arguments.Configuration()),
            new MessagePosted
            {
                MessageId = Guid.CreateVersion7(),
                RecipientIds = [arguments.GetRequiredValue(user)],
                Title = arguments.GetRequiredValue(title),
                Body = arguments.GetValue(body),
                Url = arguments.GetValue(url),
                Tag = arguments.GetValue(tag),
            },
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(WebApplicationBuilder builder, MessagePosted message, CancellationToken cancellationToken)
    {
        if (Fanout.MessageRules.Check(message) is { Count: > 0 } faults)
        {
            throw new UsageException("The message is not valid. " + Fanout.MessageRules.TextOf(faults));
        }

        new SettingsSection(NotifyOptions.Section, typeof(NotifyOptions)).ThrowIfUnreadable(builder.Configuration);
        if (MessagingSetup.TransportOf(builder.Configuration) == TransportKind.RabbitMq)
        {
            await PublishAsync(RabbitMqAddress.Parse(builder.Configuration.GetConnectionString(RabbitMqAddress.ConnectionName)), message, cancellationToken);
        }
        else
        {
            await PostAsync(builder, message, cancellationToken);
        }

        Console.WriteLine($"Published message {message.MessageId}.");
        return 0;
    }

    private static async Task PublishAsync(RabbitMqAddress address, MessagePosted message, CancellationToken cancellationToken)
    {
        var bus = Bus.Factory.CreateUsingRabbitMq(address.Configure);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            await bus.StartAsync(patience.Token);
            await bus.Publish(message, context => context.Mandatory = true, patience.Token);
        }
        catch (MessageReturnedException)
        {
            throw new UsageException($"The broker at {address} has no queue for the message: no Notify has run against it yet. Start one first.");
        }
        catch (Exception exception) when (exception is OperationCanceledException or MassTransitException && !cancellationToken.IsCancellationRequested)
        {
            throw new UsageException(address.CannotBeReached);
        }
        finally
        {
            await bus.StopAsync(CancellationToken.None);
        }
    }

    private static async Task PostAsync(WebApplicationBuilder builder, MessagePosted message, CancellationToken cancellationToken)
    {
        var service = ServiceUrl(builder.Configuration);
        using var http = new HttpClient { BaseAddress = service };
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/messages") { Content = JsonContent.Create(message) };
        Authenticate(request, builder);
        try
        {
            using var response = await http.SendAsync(request, cancellationToken);
            if (response.StatusCode != HttpStatusCode.Accepted)
            {
                throw new UsageException($"{service} answered {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(cancellationToken)}");
            }
        }
        catch (HttpRequestException exception)
        {
            throw new UsageException($"No service answers at {service} ({exception.Message}). The in-memory bus lives inside the running service: start it ('dotnet run --project src/Notify'), or name its address with ASPNETCORE_URLS.");
        }
    }

    private static Uri ServiceUrl(ConfigurationManager configuration)
    {
        var url = configuration[WebHostDefaults.ServerUrlsKey] is { Length: > 0 } configured ? configured.Split(';')[0]
            : configuration[WebHostDefaults.HttpPortsKey] is { Length: > 0 } ports ? $"http://localhost:{ports.Split(';')[0]}"
            : NotifyApplication.DefaultUrl;
        return NotifyApplication.OnThisMachine(url);
    }

    private static void Authenticate(HttpRequestMessage request, WebApplicationBuilder builder)
    {
        var auth = builder.Configuration.GetSection(AuthOptions.Section).Get<AuthOptions>() ?? new();
        if (!string.IsNullOrEmpty(auth.SigningKey))
        {
            var token = new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
            {
                Subject = new ClaimsIdentity([new Claim("sub", "notify-cli"), new Claim("scope", Policies.PublishScope)]),
                Audience = auth.Audience,
                Expires = DateTime.UtcNow.AddMinutes(1),
                SigningCredentials = new SigningCredentials(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(auth.SigningKey)), SecurityAlgorithms.HmacSha256),
            });
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
        else if (builder.Environment.IsDevelopment())
        {
            request.Headers.Add(DevelopmentUserHandler.Header, "notify-cli");
        }
        else
        {
            throw new UsageException(string.IsNullOrEmpty(auth.Authority)
                ? "The service takes no message without a token: set Notify__Auth__SigningKey as it has it."
                : "With Notify__Auth__Authority this command has no token to publish with on the in-memory bus; POST /api/messages with one of your issuer's.");
        }
    }
}
